"""The one door for models: what `model=` and `saga_sr.load` may be given, and how it is opened."""

from __future__ import annotations

from pathlib import Path

from saga_sr.core.imports import extras_named
from saga_sr.core.run_folder import is_sharded
from saga_sr.model import SuperResolver
from saga_sr.packages.checkpoint import load_checkpoint
from saga_sr.packages.finding import find_model
from saga_sr.packages.package import load_package


def load_model(source: str | Path | None, device: str = "cpu") -> SuperResolver:
    """Read a model from anywhere, in evaluation mode.

    Args:
        source: a model package's folder; a run's folder, its `model/` or else its newest whole checkpoint; a
            checkpoint, of which averaged weights are taken where there are; a bundled model's name; `owner/name` or
            `owner/name@revision` on a hub; a package's address in object storage; None for the bundled model that is
            taken where none is named.

    Raises:
        PackageError: nothing of these, or it is incomplete, damaged or asks for code outside the model's rooms.
        WeightsError: a damaged checkpoint.
        ConfigError: an address that nothing installed can read.
        ExtraError: a package that the model needs is not installed.
    """
    path = find_model(source)
    with extras_named():
        return (
            load_package(path, device)
            if path.is_dir() and not is_sharded(path)
            else load_checkpoint(path).model.to(device)
        )
