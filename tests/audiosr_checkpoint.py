"""Tiny checkpoints in AudioSR's layout, with the names and shapes of the official classes."""

from __future__ import annotations

import functools
import importlib
import itertools
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from programs import ROOT
from torch import Tensor

# The recorded sizes, and as little silence as possible.
TINY_AUDIOSR = ["backbone.width=32", "backbone.multipliers=[1,1,2,2]", "backbone.blocks=1", "codec.pad_s=0"]
RECORDED = ROOT / "tests" / "weights" / "audiosr_tiny.safetensors"


def comparison() -> Any:
    """The benchmark that compares saga-sr with the official classes, as a module."""
    folder = str(ROOT / "benchmarks" / "audiosr")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module("compare")


@functools.cache
def checkpoint_tensors() -> dict[str, Tensor]:
    """All tensors of the official classes' state; those that nobody reads are 0."""
    f = [math.cos((k / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for k in range(1001)]
    betas = [1 - after / before for before, after in itertools.pairwise(f)]
    tensors = comparison().checkpoint_tensors(RECORDED)
    return tensors | {
        "betas": torch.tensor(betas),
        "alphas_cumprod": torch.from_numpy(np.cumprod(1 - np.array(betas))).float(),
    }


def write_checkpoint(path: Path, **changed: Tensor | None) -> Path:
    """A checkpoint with tensors that are `changed`, or left out where that is None."""
    tensors = {name: tensor for name, tensor in (checkpoint_tensors() | changed).items() if tensor is not None}
    torch.save({"state_dict": tensors}, path)
    return path
