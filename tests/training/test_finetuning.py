"""Training that goes on from a model package."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import QUICK, TINY
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from programs import ROOT, program
from safetensors.torch import load_file

from saga_sr.core.errors import ConfigError
from saga_sr.packages.bundled import default_model
from saga_sr.packages.package import read_config
from saga_sr.training import finetuning
from saga_sr.training.finetuning import package_to_begin_from, take_packages_model
from saga_sr.weights.initialisation import settings_of_weights


def composed(monkeypatch: pytest.MonkeyPatch, *overrides: str) -> DictConfig:
    given = [word.partition("=")[0] for word in overrides]
    monkeypatch.setattr(finetuning, "set_by_the_command", lambda: given)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", ["experiment=finetune", *overrides])


def test_the_model_is_the_packages_and_how_it_is_used_may_be_anothers(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = composed(monkeypatch, f"init_from={package}", "sampler.steps=7", "low_band=hard", "optimizer.lr=1e-5")
    assert package_to_begin_from(config.init_from) == package
    take_packages_model(config, package)
    own = read_config(package)["model"]
    for part, group in finetuning.WEIGHED.items():
        assert config[group] == own[part], part
    assert config.sampler == own["sampler"] | {"steps": 7} and config.low_band == "hard"
    assert config.model.backbone.width == own["backbone"]["width"]


def test_what_its_weights_do_not_fit_is_refused(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = composed(monkeypatch, f"init_from={package}", "codec.latent_dim=128")
    with pytest.raises(ConfigError, match=r"codec\.latent_dim is the model's that init_from=.* begins from"):
        take_packages_model(config, package)


def test_names_and_folders_of_models_are_told_from_other_weights(package: Path, tmp_path: Path) -> None:
    assert package_to_begin_from("saga-sr-mini") == default_model()
    assert package_to_begin_from(str(package)) == package
    assert package_to_begin_from(str(tmp_path)) is package_to_begin_from("/nowhere/at-all.ckpt") is None

    with pytest.raises(ConfigError, match=r"init_from=saga-sr-min is no model package or run to begin from"):
        settings_of_weights(Path("saga-sr-min"), has_convention=False)


@pytest.mark.slow
def test_it_begins_with_the_packages_weights(package: Path, tmp_path: Path) -> None:
    """Learning nothing, it ends with them, too."""
    quick = [word for word in QUICK if word not in TINY]
    done = program(
        "train.py", "experiment=finetune", f"init_from={package}", "data=synthetic", *quick, "loss=mse",
        "optimizer.lr=0", "trainer.max_steps=2", "trainer.val_check_interval=2", f"hydra.run.dir={tmp_path}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, after = (load_file(folder / "model.safetensors") for folder in (package, tmp_path / "model"))
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]), name
