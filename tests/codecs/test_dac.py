from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import DacConfig, DacModel

from saga_sr.codecs.chunked import inputs_seen
from saga_sr.codecs.dac import DAC
from saga_sr.core.errors import ConfigError, WeightsError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import dac

RATE, LATENT, HOP = 8000, 32, 8
SIZES: dict[str, Any] = {
    "encoder_dim": 8, "encoder_rates": [2, 4], "decoder_dim": 16, "decoder_rates": [4, 2], "n_codebooks": 3,
    "codebook_size": 16, "codebook_dim": 4, "sample_rate": RATE,
}  # fmt: skip


@pytest.fixture(scope="module")
def package() -> Any:
    """A tiny model of the descript-audio-codec package, in which every parameter is random."""
    torch.manual_seed(0)
    model = dac.DAC(**SIZES).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1 + 0.3 * torch.rand_like(parameter)).add_(0.01 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def file(package: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dac") / "weights.pth"
    torch.save({"state_dict": package.state_dict(), "metadata": {"kwargs": SIZES}}, path)
    return path


def codec(path: Path, **settings: Any) -> DAC:
    return DAC(str(path), **{"sample_rate": RATE, "latent_dim": LATENT, **settings})


def audio(*shape: int) -> torch.Tensor:
    return 0.3 * torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_latents_and_audio_are_the_packages_before_quantisation(package: Any, file: Path) -> None:
    ours, x = codec(file), audio(2, 1, 40 * HOP)
    raw = ours.analyse(x)
    assert raw.shape == (2, LATENT, 40) and torch.allclose(raw, package.encoder(x), atol=1e-4)
    assert torch.allclose(ours.synthesise(raw, x.shape[-1]), package.decoder(raw), atol=1e-4)
    for n in (1, 3):
        quantised = codec(file, n_quantizers=n).synthesise(raw, x.shape[-1])
        assert torch.allclose(quantised, package.decoder(package.quantizer(raw, n)[0]), atol=1e-4)
        assert not torch.allclose(quantised, package.decoder(raw), atol=1e-3)


@torch.no_grad()
def test_both_layouts_give_the_same(file: Path, tmp_path: Path) -> None:
    ours, x = codec(file), audio(1, 1, 40 * HOP)
    ours.save_pretrained(tmp_path / "folder")
    theirs = DacModel.from_pretrained(tmp_path / "folder").eval()
    again = codec(tmp_path / "folder")
    assert torch.allclose(again.analyse(x), ours.analyse(x), atol=1e-4)
    assert torch.allclose(again.analyse(x), theirs.encoder(x), atol=1e-4)


@pytest.mark.parametrize("length", [1, 7 * HOP, 301 * HOP + 3])
@pytest.mark.parametrize("chunk_s", [0.001, 0.05, 0.11])
@torch.no_grad()
def test_pieces_make_no_difference(file: Path, length: int, chunk_s: float) -> None:
    whole, pieces, x = codec(file), codec(file, chunk_s=chunk_s), audio(2, 1, length)
    raw = whole.analyse(x)
    assert torch.allclose(pieces.analyse(x), raw, atol=1e-4)
    assert torch.allclose(pieces.synthesise(raw, length), whole.synthesise(raw, length), atol=1e-4)
    assert whole.synthesise(raw, length).shape == x.shape


def test_what_a_frame_depends_on_is_what_the_walk_says() -> None:
    torch.manual_seed(0)
    network = DacModel(
        DacConfig(encoder_hidden_size=4, decoder_hidden_size=16, downsampling_ratios=[2, 4, 8, 8])
    ).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.abs() + 0.01)
    network.double()
    x = torch.randn(1, 1, 60 * 512, dtype=torch.float64, requires_grad=True)
    network.encoder(x)[0, :, 30].sum().backward()
    seen = x.grad[0, 0].nonzero().flatten() - 30 * 512
    assert (int(seen.min()), int(seen.max())) == inputs_seen(network.encoder, 0, 0)


def test_the_network_is_not_in_the_state(file: Path) -> None:
    assert set(codec(file).state_dict()) == {"latent_mean", "latent_scale"}


def test_what_cannot_be_used_is_named(file: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"There is no codec at .*nothing is downloaded"):
        codec(tmp_path / "nowhere")
    truncated = tmp_path / "truncated.pth"
    truncated.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(WeightsError, match="cannot be read"):
        codec(truncated)
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="cannot be read"):
        codec(tmp_path / "empty")
    saved = torch.load(file, weights_only=True)
    del saved["state_dict"]["decoder.model.0.bias"]
    torch.save(saved, tmp_path / "lacking.pth")
    with pytest.raises(WeightsError, match="does not fit the tensors"):
        codec(tmp_path / "lacking.pth")
    torch.save({"state_dict": {}}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="KeyError"):
        codec(tmp_path / "other.pth")
    with pytest.raises(ConfigError, match=r"codec\.latent_dim=64 differs from the 32"):
        codec(file, latent_dim=64)
    with pytest.raises(ConfigError, match="give 1 to 3, or null"):
        codec(file, n_quantizers=4)
