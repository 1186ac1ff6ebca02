"""A model package of what a run has come to, at any time."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from saga_sr.core.errors import ConfigError, PackageError
from saga_sr.core.run_folder import is_run, is_sharded, newest_whole, read_curves, read_record
from saga_sr.model import SuperResolver
from saga_sr.packages.audiosr import convert, is_checkpoint
from saga_sr.packages.card import exported_again, model_card, weights_facts
from saga_sr.packages.checkpoint import KINDS, Trained, load_checkpoint
from saga_sr.packages.finding import find_model
from saga_sr.packages.layout import FILES
from saga_sr.packages.package import load_package, read_config, save_package

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def export_package(
    source: str | Path, target: Path, kind: str | None = None, dtype: str = "float32", license: str = "unknown"
) -> Path:
    """Write a model package of a run, a checkpoint (AudioSR's, too) or another package; its folder.

    Args:
        source: what `load_model` takes, or AudioSR's checkpoint; of a run that has checkpoints, the newest whole one.
        target: a folder that is not there yet, or a package, which is replaced once the new one has been tried.
        kind: `averaged` or `raw` weights of a checkpoint; the average where there is one if left out.
        dtype: that parameters are stored in; they are read back into float32.
        license: of the weights, as the model card states it.

    Raises:
        ConfigError: an unknown kind or dtype.
        PackageError: nothing to export, a target that holds something else, or a package that does not do what its
            source does.
    """
    if dtype not in DTYPES:
        raise ConfigError(f"dtype={dtype} is not known; choose one of {', '.join(DTYPES)}.")
    check_target(target)
    found = find_source(source, kind)
    if found.is_file() and is_checkpoint(found):
        return convert(found, target, DTYPES[dtype], license)
    if found.is_dir() and not is_sharded(found):
        model, config = load_package(found), read_config(found)["model"]
        card = exported_again((found / "README.md").read_text() if (found / "README.md").is_file() else "", dtype)
        return save_package(model, config, target, card, DTYPES[dtype])
    trained = load_checkpoint(found, kind)
    return save_package(
        trained.model, trained.config["model"], target, _card(trained, found, dtype, license), DTYPES[dtype]
    )


def find_source(source: str | Path, kind: str | None = None) -> Path:
    """The package's folder, or the checkpoint, that is exported: of a run that has checkpoints, the newest whole one.

    Raises:
        ConfigError: an unknown `kind` of weights, or one of a package.
        PackageError: nothing to export.
    """
    if kind not in (None, *KINDS):
        raise ConfigError(f"weights={kind} is not known; choose one of {', '.join(KINDS)}.")
    path = Path(source).expanduser()
    found = (newest_whole(path / "checkpoints") if is_run(path) else None) or find_model(source)
    if found.is_dir() and not is_sharded(found) and kind is not None:
        raise ConfigError(f"weights={kind} is for runs and checkpoints; {found} holds one kind, so leave it out.")
    return found


def read_source(source: str | Path, kind: str | None = None) -> tuple[SuperResolver, dict[str, Any]]:
    """The model that is exported, with its configuration.

    Raises:
        ConfigError, PackageError: see `find_source`; or it cannot be read.
    """
    found = find_source(source, kind)
    if found.is_dir() and not is_sharded(found):
        return load_package(found), read_config(found)["model"]
    trained = load_checkpoint(found, kind)
    return trained.model, trained.config["model"]


def check_target(folder: Path, files: Collection[str] = FILES) -> None:
    """See whether an export of these `files` can take the place of what is at `folder`.

    Raises:
        PackageError: it holds what is no export's, and would be lost.
    """
    if not folder.exists():
        return
    strangers = [path.name for path in folder.iterdir() if path.name not in files] if folder.is_dir() else [folder.name]
    if strangers:
        raise PackageError(
            f"{folder} is there already and holds {strangers[0]}, which is not a model package's and would be lost; "
            "give a new folder."
        )


def _card(trained: Trained, checkpoint: Path, dtype: str, license: str) -> str:
    """The model card of what a checkpoint holds, with the last figures before its step."""
    record = read_record(trained.run) or {}
    # Validation listens to the average; and the first step is logged as 0.
    is_measured = trained.kind == "averaged" or not trained.config.get("ema")
    measured = {
        name: earlier[-1]
        for name, curve in read_curves(trained.run).items()
        if is_measured and (earlier := [value for step, value in curve if step < trained.step])
    }
    return model_card(
        trained.config,
        record.get("data", "The training's settings, below, name it."),
        measured,
        weights_facts(f"{trained.run.name}/{checkpoint.name}", trained.step, trained.kind, dtype),
        license=license,
    )
