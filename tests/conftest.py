from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from programs import ROOT

import saga_sr.core.config  # the resolvers that configurations use
import saga_sr.inference.schema  # noqa: F401  # of the group `enhance`
from saga_sr.model import SuperResolver
from saga_sr.packages.bundled import MODELS
from saga_sr.packages.layout import is_package
from saga_sr.packages.load import load_model
from saga_sr.packages.package import build, save_package

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)  # workers share the cores

# A browser, pages for it, the app, and a device without float64.
pytest_plugins = ["browser", "player_page", "running_app", "float32_device"]

TINY = [
    "codec.latent_dim=64",
    "backbone.width=32",
    "backbone.depth=1",
    "backbone.heads=2",
    "backbone.kv_heads=1",
    "sampler.steps=2",
]
TINY_SAGA = [
    "backbone=saga_small",
    "objective=velocity",
    "codec.latent_dim=64",
    "backbone.width=32",
    "backbone.depth=2",
    "backbone.heads=2",
    "backbone.cross_attention_width=16",
    "sampler.steps=2",
]


# Runs of a few seconds on the CPU.
QUICK = [
    *TINY,
    "data.num_samples=8192",
    "data.batch_size=2",
    "data.pool_clips=8",
    "data.pool_seconds=1",
    "data.epoch_size=24",
    "data.validation_size=4",
    "statistics_clips=8",
    "trainer.accelerator=cpu",
    "trainer.max_time=null",
    "trainer.log_every_n_steps=1",
    "logger=csv",  # pictures of the validation for others take as long as the rest
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole programs first, so that no worker is left alone with them at the end.

    A machine that others use, too, may starve a browser or one of two processes: a whole program is tried again. What
    is wrong fails each time; `-rR` tells what was tried again.
    """
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.flaky(reruns=2))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test printed can be sent from a worker: names of files that are not UTF-8 cannot."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture
def hangups() -> Iterator[None]:
    """A closed terminal is heard of, also where the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def model_config(*overrides: str, tiny: list[str] = TINY) -> dict[str, Any]:
    """The resolved configuration of a tiny model."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        composed = compose("train", [*tiny, *overrides])
    config = OmegaConf.to_container(composed.model, resolve=True)
    assert isinstance(config, dict)
    return config


# What holds for tiny models holds for those that come with the installation.
BUNDLED = sorted(path.name for path in MODELS.glob("*") if is_package(path))


def tiny_or_bundled(name: str, config: dict[str, Any]) -> SuperResolver:
    """The bundled model called `name`, or else an awake one by `config`."""
    return load_model(name) if name in BUNDLED else awake(build(config))


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
    """A tiny model package, the same whatever ran before."""
    config = model_config()
    torch.manual_seed(0)
    return save_package(awake(build(config)), config, tmp_path_factory.mktemp("package") / "model", "# A card\n")
