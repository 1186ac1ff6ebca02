"""Packages that were written by earlier versions go on loading, and enhance as they did."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file
from text_encoder import make_text_encoder
from torch import Tensor

from saga_sr.packages.package import load_package

WRITTEN = yaml.safe_load((Path(__file__).parent / "packages_0.1.0.yaml").read_text())


def wave(shape: tuple[int, ...], phase: float) -> Tensor:
    """Numbers that are the same everywhere."""
    count = torch.Size(shape).numel()
    return torch.sin(0.7 * torch.arange(count) ** 1.1 + phase).reshape(shape)


def weights(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    """Weights by which every part of a model matters."""
    tensors = {}
    for i, (name, shape) in enumerate(shapes.items()):
        scale = 1.0 if any(part in name for part in ("conditioner", "cross", "global")) else 0.2
        middle = 1.0 if name.endswith("scale") or "norm" in name else 0.0
        tensors[name] = scale * wave(tuple(shape), i) + middle
    tensors["codec.latent_scale"] = tensors["codec.latent_scale"].abs() + 0.1
    return tensors


@pytest.mark.parametrize("name", WRITTEN)
def test_a_package_of_version_0_1_0_enhances_as_it_did(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = WRITTEN[name]
    save_file(weights(written["tensors"]), tmp_path / "model.safetensors")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(written["config"]))
    if written["config"]["model"]["conditioner"]["text"]:
        make_text_encoder(tmp_path / "assets/conditioner.text")
    model = load_package(tmp_path)
    monkeypatch.setattr("saga_sr.model.has_fast_bfloat16", lambda *_: False)
    lr = 0.1 * wave((1, 1, 8000), 0.5)
    rolloff = 0.8 if written["config"]["model"]["conditioner"]["rolloff"] else 1.0
    conditioning = model.prepare_conditioning(lr, torch.tensor([4000.0]), [""], rolloff)
    output = model.restore(lr, conditioning, lambda frames: wave((1, 64, frames), 1.5), torch.tensor([22_050.0]))
    expected = torch.tensor(written["output"])
    torch.testing.assert_close(output[0, 0, 500::1000], expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
