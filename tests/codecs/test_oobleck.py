from __future__ import annotations

import copy
import json
import pickle
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
import yaml
from diffusers import AutoencoderOobleck
from programs import ROOT
from torch import Tensor, nn

from saga_sr.codecs.chunked import inputs_seen
from saga_sr.codecs.oobleck import Oobleck
from saga_sr.core.errors import ConfigError, WeightsError

RATE, HOP, LATENT = 8000, 8, 4
WEIGHTS = "diffusion_pytorch_model.safetensors"


def network(**changes: Any) -> AutoencoderOobleck:
    """A small autoencoder in which every parameter is random, Snake's too."""
    sizes = {
        "encoder_hidden_size": 2 * LATENT,
        "downsampling_ratios": [2, 4],
        "channel_multiples": [1, 2],
        "decoder_channels": 8,
        "decoder_input_channels": LATENT,
        "audio_channels": 2,
        "sampling_rate": RATE,
    }
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = AutoencoderOobleck(**{**sizes, **changes}).eval().requires_grad_(False)
    for name, parameter in made.named_parameters():
        if name.endswith(("alpha", "beta", "bias")):
            parameter.copy_(0.5 * torch.randn_like(parameter))
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("vae")
    network().save_pretrained(made)
    return made


def codec_at(folder: Path, **settings: Any) -> Oobleck:
    return Oobleck(str(folder), **{"sample_rate": RATE, "latent_dim": LATENT, **settings})


@pytest.mark.parametrize("frames", [1, 2, 40])
def test_it_equals_diffusers(folder: Path, frames: int) -> None:
    codec, direct = codec_at(folder), network()
    audio = 0.5 * torch.randn(3, 2, frames * HOP)
    raw = codec.analyse(audio)
    assert raw.shape == (3, LATENT, frames) and raw.std() > 0.05
    assert torch.allclose(raw, direct.encode(audio).latent_dist.mean, atol=1e-6)
    output = codec.synthesise(raw, frames * HOP)
    assert output.shape == audio.shape and output.std() > 0.01
    assert torch.allclose(output, direct.decode(raw).sample, atol=1e-6)


def test_it_states_what_the_network_is(folder: Path) -> None:
    codec = codec_at(folder)
    assert (codec.sample_rate, codec.channels, codec.latent_dim, codec.hop_length) == (RATE, 2, LATENT, HOP)


@pytest.mark.parametrize("length", [1, 8, 403, 800])
@pytest.mark.parametrize("chunk_s", [0.006, 0.03, 0.06])
def test_pieces_make_no_difference(folder: Path, length: int, chunk_s: float) -> None:
    whole, pieces = codec_at(folder), codec_at(folder, chunk_s=chunk_s)
    audio = 0.5 * torch.randn(1, 2, length, generator=torch.Generator().manual_seed(0))
    raw = whole.analyse(audio)
    assert raw.shape == (1, LATENT, -(-length // HOP))
    assert (pieces.analyse(audio) - raw).abs().max() < 1e-5
    output = whole.synthesise(raw, length)
    assert output.shape == audio.shape
    assert (pieces.synthesise(raw, length) - output).abs().max() < 1e-5


def test_nor_does_a_batch_that_is_taken_apart(folder: Path) -> None:
    whole, pieces = codec_at(folder), codec_at(folder, chunk_s=0.03)
    audio = 0.5 * torch.randn(5, 2, 403)
    raw = whole.analyse(audio)
    assert torch.allclose(pieces.analyse(audio), raw, atol=1e-4)
    assert torch.allclose(pieces.synthesise(raw, 403), whole.synthesise(raw, 403), atol=1e-4)


@pytest.mark.parametrize("ratios", [[2, 4, 4, 8, 8], [6, 2, 10]])
def test_what_an_output_depends_on_is_known_exactly(ratios: list[int]) -> None:
    narrow = network(
        encoder_hidden_size=2,
        decoder_channels=1,
        decoder_input_channels=1,
        downsampling_ratios=ratios,
        channel_multiples=[1, 2, 4, 8, 16][: len(ratios)],
    ).double()
    hop, middle = narrow.hop_length, 12

    def measured(stack: nn.Module, channels: int, length: int, kept: slice) -> tuple[int, int]:
        x = torch.randn(1, channels, length, dtype=torch.float64, requires_grad=True)
        stack(x)[..., kept].sum().backward()
        assert x.grad is not None
        touched = x.grad[0].abs().sum(0).nonzero()
        return int(touched[0]), int(touched[-1])

    at = slice(middle * hop, (middle + 1) * hop)
    first, last = measured(narrow.encoder, 2, 24 * hop, slice(middle, middle + 1))
    assert (first - at.start, last - at.start) == inputs_seen(narrow.encoder, 0, 0)
    first, last = measured(narrow.decoder, 1, 24, at)
    assert (first - middle, last - middle) == inputs_seen(narrow.decoder, 0, hop - 1)


def test_what_the_network_holds_at_once_does_not_grow(folder: Path) -> None:
    codec = codec_at(folder, chunk_s=0.03)
    seen: list[int] = []

    def watch(module: nn.Module, arguments: tuple[Tensor]) -> None:
        seen.append(arguments[0].shape[0] * arguments[0].shape[2])

    for stack in (codec.autoencoder.network.encoder, codec.autoencoder.network.decoder):
        stack.register_forward_pre_hook(watch)

    def largest(items: int, length: int) -> tuple[int, int]:
        seen.clear()
        raw = codec.analyse(torch.randn(items, 2, length))
        encoded = max(seen)
        seen.clear()
        codec.synthesise(raw, length)
        return encoded, max(seen)

    long = largest(1, 90 * HOP)
    assert long == largest(1, 900 * HOP)
    assert long[0] < 90 * HOP and long[1] < 90
    assert all(many <= one for many, one in zip(largest(30, 10 * HOP), long, strict=True))


def test_it_is_deterministic_and_leaves_no_graph(folder: Path) -> None:
    codec, audio = codec_at(folder), torch.randn(1, 2, 900, requires_grad=True)
    latent = codec.encode(audio)
    assert torch.equal(latent, codec.encode(audio)) and not latent.requires_grad
    assert not codec.decode(latent.clone().requires_grad_(True), 900).grad_fn


def test_autocast_and_dtype_do_not_reach_the_network(folder: Path) -> None:
    codec, audio = codec_at(folder), torch.randn(1, 2, 800)
    raw = codec.analyse(audio)
    output = codec.synthesise(raw, 800)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(codec.analyse(audio), raw)
        assert torch.equal(codec.synthesise(raw, 800), output)
    codec.to(torch.bfloat16)
    assert torch.equal(codec.analyse(audio), raw)
    assert codec.analyse(audio.bfloat16()).dtype == torch.float32


def test_mono_is_heard_on_both_sides(folder: Path) -> None:
    codec, audio = codec_at(folder), torch.randn(2, 1, 500)
    latent = codec.encode(audio)
    assert torch.equal(latent, codec.encode(audio.repeat(1, 2, 1)))
    assert codec.decode(latent, 500).shape == (2, 2, 500)


def test_statistics_are_state_and_the_network_is_not(folder: Path) -> None:
    codec = codec_at(folder)
    codec.fit_statistics([torch.randn(4, 2, 4000), torch.randn(4, 1, 4000)])
    assert set(codec.state_dict()) == {"latent_mean", "latent_scale"}
    assert not list(codec.parameters())
    other, audio = codec_at(folder), torch.randn(1, 2, 800)
    other.load_state_dict(codec.state_dict())
    latent = other.encode(audio)
    assert torch.equal(latent, codec.encode(audio)) and not torch.allclose(latent, codec.analyse(audio))
    raw = codec.analyse(audio)
    assert torch.allclose(codec.decode(latent, 800), codec.synthesise(raw, 800), atol=1e-5)


def test_copies_share_the_network_and_pickles_hold_it(folder: Path) -> None:
    codec, audio = codec_at(folder), torch.randn(1, 2, 800)
    twin = copy.deepcopy(codec)
    assert twin.autoencoder.network is codec.autoencoder.network
    assert twin.latent_scale is not codec.latent_scale
    assert torch.equal(pickle.loads(pickle.dumps(codec)).encode(audio), codec.encode(audio))


def test_what_it_writes_it_reads_again(folder: Path, tmp_path: Path) -> None:
    codec, audio = codec_at(folder), torch.randn(1, 2, 800)
    codec.save_pretrained(tmp_path / "again")
    again = codec_at(tmp_path / "again")
    assert torch.equal(again.encode(audio), codec.encode(audio))
    assert str(folder) not in (tmp_path / "again" / "config.json").read_text()


def test_a_pipeline_folder_will_do(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "vae")
    (tmp_path / "model_index.json").write_text("{}")
    audio = torch.randn(1, 2, 800)
    assert torch.equal(codec_at(tmp_path).encode(audio), codec_at(folder).encode(audio))


def test_its_configuration_makes_it(folder: Path) -> None:
    config = yaml.safe_load((ROOT / "conf" / "codec" / "oobleck.yaml").read_text())
    assert (config["sample_rate"], config["latent_dim"], config["path"]) == (44_100, 64, "???")
    made = hydra.utils.instantiate({**config, "path": str(folder), "sample_rate": RATE, "latent_dim": LATENT})
    assert isinstance(made, Oobleck)


def test_diffusers_is_imported_only_for_a_codec() -> None:
    code = "import sys, saga_sr.codecs.oobleck; sys.exit('diffusers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sample_rate": 44_100}, "codec.sample_rate=44100 differs from the 8000 .*; set codec.sample_rate=8000."),
        ({"latent_dim": 64}, "codec.latent_dim=64 differs from the 4 .*; set codec.latent_dim=4."),
        ({"chunk_s": 0}, "codec.chunk_s=0 must be"),
        ({"chunk_s": float("nan")}, "codec.chunk_s=nan must be"),
    ],
)
def test_settings_that_do_not_fit(folder: Path, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        codec_at(folder, **settings)


def _rewrite(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _lose_a_tensor(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / WEIGHTS)
    del tensors["decoder.conv1.bias"]
    save_file(tensors, folder / WEIGHTS)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "folder": (shutil.rmtree, "There is no folder .*nothing is downloaded; give"),
    "config": (lambda at: (at / "config.json").unlink(), "has no config.json; give"),
    "json": (lambda at: _truncate(at / "config.json"), "is not valid JSON .*; copy the folder again"),
    "list": (lambda at: (at / "config.json").write_text("[]"), "describes None, not an AutoencoderOobleck; give"),
    "class": (lambda at: _rewrite(at, _class_name="AutoencoderKL"), "describes AutoencoderKL, not an .*; give"),
    "pickle": (lambda at: (at / WEIGHTS).rename(at / "diffusion_pytorch_model.bin"), "no safetensors weights.*; copy"),
    "name": (lambda at: (at / WEIGHTS).rename(at / "other.safetensors"), "cannot be read .*; copy the folder again"),
    "weights": (lambda at: _truncate(at / WEIGHTS), "cannot be read .*truncated, damaged.*; copy the folder again"),
    "tensor": (_lose_a_tensor, "lack 1 of the .*decoder.conv1.bias among them; copy the folder again"),
    "shape": (lambda at: _rewrite(at, decoder_channels=16), "cannot be read .*size mismatch.*; copy the folder again"),
    "value": (lambda at: _rewrite(at, downsampling_ratios=None), "cannot be read .*; copy the folder again"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_folders_that_cannot_be_read(folder: Path, tmp_path: Path, kind: str) -> None:
    at = shutil.copytree(folder, tmp_path / "vae-copy")
    damage, sentence = DAMAGE[kind]
    damage(at)
    with pytest.raises(WeightsError, match=sentence) as caught:
        codec_at(at)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value) and "vae-copy" in str(caught.value)


def test_odd_ratios_are_refused(tmp_path: Path) -> None:
    network(downsampling_ratios=[3, 4]).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="odd ones do not give back the length"):
        codec_at(tmp_path)
