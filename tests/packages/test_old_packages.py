"""Packages that were written by earlier versions go on loading: what they name and how their tensors are called."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file
from text_encoder import make_text_encoder

from saga_sr.packages.package import load_package
from saga_sr.packages.verification import check_same

WRITTEN = yaml.safe_load((Path(__file__).parent / "packages_0.1.0.yaml").read_text())


@pytest.mark.parametrize("name", WRITTEN)
def test_a_package_of_version_0_1_0_loads_and_enhances(name: str, tmp_path: Path) -> None:
    written = WRITTEN[name]
    torch.manual_seed(0)
    tensors = {name: 0.1 * torch.rand(shape) for name, shape in written["tensors"].items()}
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(written["config"]))
    if written["config"]["model"]["conditioner"]["text"]:
        make_text_encoder(tmp_path / "assets/conditioner.text")
    model = load_package(tmp_path)
    assert {name for name, _ in model.named_parameters()} <= tensors.keys()
    check_same(model, load_package(tmp_path), torch.float32)
