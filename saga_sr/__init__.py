"""Audio super-resolution: train, evaluate and run flow-matching models that restore missing high frequencies."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from saga_sr.core.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from saga_sr.inference.enhancer import Enhancer

__all__ = ["__version__", "load"]

if sys.platform == "darwin":
    # Read when torch is imported: what Apple's GPU lacks runs on the CPU, instead of failing.
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")


def load(source: str | Path | None = None, device: str = "auto") -> Enhancer:
    """The model that `source` names, ready to enhance.

    Example:
        >>> enhancer = saga_sr.load()
        >>> restored, rate = enhancer(audio, 16_000, steps=8, seed=0)
        >>> enhancer.file("old.mp3", "restored.wav")

    Args:
        source: a model package's folder, a run's folder, a checkpoint of training, a bundled model's name, or
            `owner/name` on a hub; the bundled model if left out.
        device: `auto` is the first accelerator, or else the CPU.

    Raises:
        PackageError: nothing of these, none is bundled, or it is incomplete, truncated or asks for code outside
            `saga_sr`.
        ConfigError: there is no such device.
    """
    from saga_sr.core.hardware import pick_device
    from saga_sr.inference.enhancer import Enhancer
    from saga_sr.packages.finding import model_name
    from saga_sr.packages.load import load_model

    return Enhancer(load_model(source).to(pick_device(device)), name=model_name(source))
