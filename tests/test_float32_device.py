"""Enhancing and training on a device that has no float64, as Apple's GPU has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, TINY_SAGA, awake
from diffusers import AutoencoderOobleck
from float32_device import OnDevice
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from mel_networks import make_vocoder
from omegaconf import OmegaConf
from programs import ROOT
from text_encoder import make_text_encoder

from saga_sr.inference.enhancer import Enhancer
from saga_sr.packages.load import load_model
from saga_sr.packages.package import build

OOBLECK: dict[str, Any] = {
    "encoder_hidden_size": 32, "downsampling_ratios": [4, 8], "channel_multiples": [1, 2], "decoder_channels": 8,
    "decoder_input_channels": 16, "audio_channels": 2, "sampling_rate": 44_100,
}  # fmt: skip


def overrides_of(recipe: str, folder: Path) -> list[str]:
    """A recipe with tiny parts of each kind: losses, conditions, codecs, objectives and solvers."""
    if recipe == "jat":
        return ["experiment=jat_mod2", *TINY, "codec=mdct", "codec.latent_dim=64"]
    if recipe == "bundled":
        return ["experiment=bundled", "data.path=x", "codec.latent_dim=64", "backbone.width=32", "sampler.steps=2"]
    if recipe == "saga":
        AutoencoderOobleck(**OOBLECK).save_pretrained(folder / "vae")
        text = f"text_encoder={make_text_encoder(folder / 'text', 16)}"
        return ["experiment=saga_small_step3", *TINY_SAGA, "codec.latent_dim=16", text, f"codec.path={folder / 'vae'}"]
    if recipe == "mel":
        make_vocoder(folder, "vocos")
        return ["experiment=demo", *TINY, "codec=mel", f"codec.path={folder}", "codec.latent_dim=20"]
    return [*TINY, "objective=v_diffusion", "sampler=ddim", "guidance=none"]


def test_the_device_has_no_float64_and_takes_no_tensors_of_others(float32_device: torch.device) -> None:
    x = torch.randn(3, 4)
    there = x.to(float32_device)
    for makes in (there.double, lambda: there.to(torch.complex128), lambda: there.sum(dtype=torch.float64)):
        with pytest.raises(TypeError, match="has no"):
            makes()
    with pytest.raises(RuntimeError, match="on the CPU"):
        there + x
    spectrum = torch.fft.rfft(there)
    assert torch.equal((spectrum * spectrum.conj()).cpu(), torch.fft.rfft(x) * torch.fft.rfft(x).conj())


def test_the_model_that_comes_along_enhances_there_as_on_the_cpu(float32_device: torch.device) -> None:
    audio = 0.1 * torch.randn(2, 8000, generator=torch.Generator().manual_seed(0))
    model = load_model(None)
    model.mixed_precision = False
    expected, _ = Enhancer(model)(audio, 16_000)
    restored, _ = Enhancer(model.to(float32_device))(audio, 16_000)
    assert isinstance(next(model.parameters()), OnDevice)
    torch.testing.assert_close(restored, expected)


@pytest.mark.parametrize("recipe", ["jat", "bundled", "saga", "mel", "diffusion"])
def test_models_of_each_kind_learn_and_restore_there(recipe: str, tmp_path: Path, float32_device: torch.device) -> None:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", overrides_of(recipe, tmp_path))
    model = awake(build(OmegaConf.to_container(config.model, resolve=True))).to(float32_device)
    model.mixed_precision = False  # as the device has none
    hr = 0.1 * torch.randn(2, config.data.channels, 8000, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    degraded = instantiate(config.degradation)(hr.to(float32_device), generator)
    model.fit_statistics(iter([hr.to(float32_device)]))
    pair = model.train().pair(hr.to(float32_device), degraded.lr, ["a dog", "rain"], degraded.cutoff_hz)
    sum(instantiate(config.loss)(model.estimate(pair)).values()).backward()
    assert all(p.grad is not None for p in model.backbone.parameters())
    lr, edge_hz = degraded.lr.cpu(), degraded.cutoff_hz.cpu()
    restored = Enhancer(model.eval()).clips(lr, edge_hz, ["a dog", "rain"])
    assert restored.isfinite().all()
    torch.testing.assert_close(restored, Enhancer(model.cpu()).clips(lr, edge_hz, ["a dog", "rain"]), atol=1e-5, rtol=0)
