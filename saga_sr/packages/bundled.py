"""The models that come with the installation, a package each in `saga_sr/models/`. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from saga_sr.core.errors import PackageError
from saga_sr.packages.layout import is_package

MODELS = Path(__file__).resolve().parents[1] / "models"
# The one that is taken where no model is named.
DEFAULT = "saga-sr-mini"


def bundled_model(name: str) -> Path | None:
    """The folder of the model called `name` that came with the installation; None if there is none."""
    folder = MODELS / name
    return folder if folder.parent == MODELS and is_package(folder) else None


def default_model() -> Path:
    """The folder of the model that is taken where none is named.

    Raises:
        PackageError: none came with the installation.
    """
    folder = bundled_model(DEFAULT)
    if folder is None:
        raise PackageError(
            "No model comes with this installation of saga-sr; give model=MODEL, a model package or the folder of a "
            "training."
        )
    return folder
