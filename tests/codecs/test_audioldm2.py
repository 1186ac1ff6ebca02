from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
import yaml
from diffusers import AutoencoderKL
from hub_server import TOKEN, Hub, Repository
from mel_networks import SCALING_FACTOR, make_audioldm2
from programs import ROOT
from transformers import SpeechT5HifiGan

from saga_sr.codecs.audioldm2 import AudioLDM2
from saga_sr.core.errors import AudioError, ConfigError, WeightsError

LATENT = 2 * 64 // 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_audioldm2(tmp_path_factory.mktemp("audioldm2"))


@pytest.fixture(scope="module")
def codec(folder: Path) -> AudioLDM2:
    return AudioLDM2(str(folder), latent_dim=LATENT)


def sound(length: int, items: int = 1) -> torch.Tensor:
    return 0.2 * torch.randn(items, 1, length, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_it_is_the_pipelines_networks_in_their_order(folder: Path, codec: AudioLDM2) -> None:
    """The vocoder reads [batch, frame, band], and latents are times the factor: as diffusers' pipeline has both."""
    autoencoder = AutoencoderKL.from_pretrained(folder / "vae").eval()
    vocoder = SpeechT5HifiGan.from_pretrained(folder / "vocoder").eval()
    audio = sound(40 * 640, 2)
    raw = codec.analyse(audio)
    mel = codec.mel.network(audio[:, 0])[..., :-1].mT[:, None]
    latent = autoencoder.encode(mel).latent_dist.mean * SCALING_FACTOR
    assert latent.shape == (2, 2, 40, 16) and raw.shape == (2, LATENT, 40)
    # Flattened channel by channel, each with its bands.
    assert torch.allclose(raw, latent.permute(0, 1, 3, 2).reshape(2, LATENT, 40), atol=1e-5)
    decoded = autoencoder.decode(latent / SCALING_FACTOR).sample
    assert torch.allclose(codec.to_log_mel(raw), decoded[:, 0].mT, atol=1e-4)
    # Only the ends, where frames are repeated, are other than the pipeline's.
    theirs, ours = vocoder(decoded.squeeze(1)), codec.synthesise(raw, 40 * 640)[:, 0]
    inner = slice(3200, 40 * 640 - 3200)
    late = codec.delays["vocoder"]
    assert ours.shape == (2, 40 * 640) and ours.std() > 1e-3
    assert torch.allclose(ours[:, inner], theirs[:, late:][:, inner], atol=1e-5)


def test_it_states_what_it_is(codec: AudioLDM2) -> None:
    assert (codec.sample_rate, codec.channels, codec.latent_dim, codec.hop_length) == (16_000, 1, LATENT, 640)
    assert (codec.inverters, codec.inverter) == (("vocoder", "griffin_lim"), "vocoder")
    assert set(codec.state_dict()) == {"latent_mean", "latent_scale"} and not list(codec.parameters())


@pytest.mark.parametrize("inverter", ["vocoder", "griffin_lim"])
@pytest.mark.parametrize("length", [1024, 6400, 7001])
def test_what_comes_back_is_as_long(codec: AudioLDM2, inverter: str, length: int) -> None:
    codec.inverter = inverter
    latent = codec.encode(sound(length, 2))
    assert latent.shape == (2, LATENT, -(-length // 640)) and latent.dtype == torch.float32
    output = codec.decode(latent, length)
    assert output.shape == (2, 1, length) and output.isfinite().all() and output.dtype == torch.float32
    codec.inverter = "vocoder"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_networks_compute_in_the_dtype_of_their_weights(tmp_path: Path, dtype: torch.dtype) -> None:
    half = AudioLDM2(str(make_audioldm2(tmp_path, dtype)), latent_dim=LATENT)
    networks = (half.autoencoder.network, half.inverter_network("vocoder"))
    assert {parameter.dtype for network in networks for parameter in network.parameters()} == {dtype}
    latent = half.encode(sound(6400))
    output = half.decode(latent, 6400)
    assert latent.dtype == output.dtype == torch.float32 and output.isfinite().all()


class IdentityAutoencoder(torch.nn.Module):
    """Of spectrograms whose four frames and bands are latent channels; late by `late` frames."""

    def __init__(self, like: Any, late: int) -> None:
        super().__init__()
        self.config, self.dtype, self.late = like.config, torch.float32, late
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def encode(self, mel: torch.Tensor) -> Any:
        found = type("Posterior", (), {"mean": mel})
        return type("Encoded", (), {"latent_dist": found})

    def decode(self, latent: torch.Tensor) -> Any:
        return type("Decoded", (), {"sample": latent.roll(self.late, 2)})


@pytest.mark.parametrize("late", [0, 3, -2])
def test_what_the_autoencoder_is_late_by_is_measured(
    codec: AudioLDM2, late: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = IdentityAutoencoder(codec.autoencoder.network, late)
    monkeypatch.setattr(network, "config", type("Config", (), {"latent_channels": 1, "scaling_factor": 1.0}))
    monkeypatch.setattr(codec.autoencoder, "_held", (network,))
    assert codec._autoencoder_delay() == late


def test_what_the_autoencoder_is_late_by_is_undone_with_each_inverter(
    codec: AudioLDM2, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AudioLDM2, "_autoencoder_delay", lambda self: 3)
    late = AudioLDM2(str(folder), latent_dim=LATENT)
    assert late.delays == {name: delay + 3 * 160 for name, delay in codec.delays.items()}


def test_with_what_it_writes_it_is_the_same(codec: AudioLDM2, folder: Path, tmp_path: Path) -> None:
    codec.save_pretrained(tmp_path)
    again, audio = AudioLDM2(str(tmp_path), latent_dim=LATENT), sound(6400)
    assert torch.equal(again.encode(audio), codec.encode(audio))
    assert torch.equal(again.decode(again.encode(audio), 6400), codec.decode(codec.encode(audio), 6400))
    assert not any(str(folder) in path.read_text() for path in tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    ("variant", "name"),
    [("music", "cvssp/audioldm2-music"), ("speech", "cvssp/audioldm2"), ("large", "cvssp/audioldm2-large")],
)
def test_each_variant_is_one_word(folder: Path, variant: str, name: str) -> None:
    config = yaml.safe_load((ROOT / "conf" / "codec" / f"audioldm2_{variant}.yaml").read_text())
    assert (config["path"], config["sample_rate"], config["latent_dim"]) == (name, 16_000, 128)
    made = hydra.utils.instantiate({**config, "path": str(folder), "latent_dim": LATENT, "inverter": "griffin_lim"})
    assert isinstance(made, AudioLDM2) and made.inverter == "griffin_lim"


def test_a_variant_is_fetched_by_its_name(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    hub = Hub()
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    hub.repositories["cvssp/audioldm2-music"] = Repository(False)
    hub.repositories["cvssp/audioldm2-music"].commit(files | {"vae/model.bin": b"pickle", "unet/a.safetensors": b""})
    # What HF_ENDPOINT, the address of a mirror, becomes when the client is imported.
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(constants.ENDPOINT)
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.address + template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    try:
        AudioLDM2("cvssp/audioldm2-music", latent_dim=LATENT)
    finally:
        hub.stop()
    # Without a hub, it is there as it was fetched.
    AudioLDM2("cvssp/audioldm2-music", latent_dim=LATENT)
    fetched = {
        path.name for path in tmp_path.glob("*/snapshots/**/*") if path.suffix in (".bin", ".safetensors", ".json")
    }
    assert fetched == {"config.json", "model.safetensors", "diffusion_pytorch_model.safetensors"}
    with pytest.raises(WeightsError, match=r"no folder cvssp/audioldm2 .*codec\.path=FOLDER.*mirror in HF_ENDPOINT"):
        AudioLDM2("cvssp/audioldm2")


def test_clips_shorter_than_a_frame_are_refused(codec: AudioLDM2) -> None:
    sentence = r"1023 samples is shorter than one frame of this codec, 1024 samples \(64 ms\); give a longer one"
    with pytest.raises(AudioError, match=sentence):
        codec.encode(sound(1023))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sample_rate": 44_100}, r"codec.sample_rate=44100 differs from the 16000 .*; set codec.sample_rate=16000"),
        ({"latent_dim": 128}, r"codec.latent_dim=128 differs from the 32 .*; set codec.latent_dim=32"),
        ({"inverter": "magic"}, r"codec.inverter=magic is not there; choose one of vocoder, griffin_lim"),
    ],
)
def test_settings_that_do_not_fit(folder: Path, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        AudioLDM2(str(folder), **{"latent_dim": LATENT, **settings})


def _rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "part": (lambda at: shutil.rmtree(at / "vocoder"), "There is no folder .*vocoder.*; give the folder of a pipeline"),
    "class": (
        lambda at: _rewrite(at / "vae" / "config.json", _class_name="AutoencoderOobleck"),
        "describes AutoencoderOobleck, not an AutoencoderKL; give the folder of a pipeline",
    ),
    "architecture": (
        lambda at: _rewrite(at / "vocoder" / "config.json", architectures=["UnivNetModel"]),
        "describes UnivNetModel, not an SpeechT5HifiGan; give",
    ),
    "pickle": (
        lambda at: (at / "vocoder" / "model.safetensors").rename(at / "vocoder" / "pytorch_model.bin"),
        "no safetensors weights, and pickled ones are not opened",
    ),
    "rate": (
        lambda at: _rewrite(at / "vocoder" / "config.json", sampling_rate=22_050),
        "another model, with .*22050 Hz.*, not .*16000 Hz.*; give",
    ),
    "shapes": (lambda at: _rewrite(at / "vae" / "config.json", latent_channels=3), "cannot be read .*; copy"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_weights_of_something_else(folder: Path, tmp_path: Path, kind: str) -> None:
    at = shutil.copytree(folder, tmp_path / "copy")
    damage, sentence = DAMAGE[kind]
    damage(at)
    with pytest.raises(WeightsError, match=sentence) as caught:
        AudioLDM2(str(at), latent_dim=LATENT)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_autoencoders_of_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"another model, with 3 channels of the autoencoder.*not 1 channels"):
        AudioLDM2(str(make_audioldm2(tmp_path, in_channels=3)), latent_dim=LATENT)
