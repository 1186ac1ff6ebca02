from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from saga_sr.model import SuperResolver
from saga_sr.package import build, save_package

ROOT = Path(__file__).resolve().parent.parent

TINY = [
    "codec.latent_dim=64",
    "backbone.width=32",
    "backbone.depth=1",
    "backbone.heads=2",
    "backbone.kv_heads=1",
    "sampler.steps=2",
]


def model_config(*overrides: str) -> dict[str, Any]:
    """The resolved configuration of a tiny model."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        composed = compose("train", [*TINY, *overrides])
    config = OmegaConf.to_container(composed.model, resolve=True)
    assert isinstance(config, dict)
    return config


def awake(model: SuperResolver) -> SuperResolver:
    """With the zeros that a fresh backbone starts from replaced, so that its output depends on its input."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.backbone.parameters():
            if not parameter.any():
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model package."""
    config = model_config()
    return save_package(awake(build(config)), config, tmp_path_factory.mktemp("package") / "model", "# A card\n")
