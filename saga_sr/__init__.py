"""Audio super-resolution: train, evaluate and run flow-matching models that restore missing high frequencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saga_sr.core.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from saga_sr.model import SuperResolver

__all__ = ["__version__", "load"]


def load(path: str | Path, device: str = "cpu") -> SuperResolver:
    """Load a model package (a folder with `config.yaml` and `model.safetensors`) in evaluation mode.

    Raises:
        PackageError: the folder is missing, incomplete, truncated or asks for code outside `saga_sr`.
    """
    from saga_sr.packages.package import load_package

    return load_package(path, device)
