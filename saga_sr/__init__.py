"""Audio super-resolution: train, evaluate and run flow-matching models that restore missing high frequencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saga_sr.core.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from saga_sr.model import SuperResolver

__all__ = ["__version__", "load"]


def load(source: str | Path, device: str = "cpu") -> SuperResolver:
    """Load a model, in evaluation mode.

    Args:
        source: a model package's folder, a run's folder, a checkpoint of training, or `owner/name` on a hub.

    Raises:
        PackageError: nothing of these, or it is incomplete, truncated or asks for code outside `saga_sr`.
    """
    from saga_sr.packages.load import load_model

    return load_model(source, device)
