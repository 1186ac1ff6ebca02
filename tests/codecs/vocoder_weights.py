"""Weights that need no file: each tensor is a sine that its place among the names tells."""

from __future__ import annotations

import torch
from torch import Tensor

GAINS = ("weight_g", "gamma", "norm.weight")


def weights(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    """A tensor of each shape, by the same names."""
    made = {}
    for place, (name, shape) in enumerate(sorted(shapes.items())):
        count = torch.Size(shape).numel()
        wave = torch.sin(0.7 * torch.arange(count, dtype=torch.float64) + place)
        scale = 1.5 / max(count // max(shape[0], 1), 1) ** 0.5 if len(shape) > 1 else 0.2
        offset = 0.8 if name.endswith(GAINS) else 0.0
        made[name] = (offset + (0.2 if offset else scale) * wave).float().reshape(shape)
    return made


def spectrogram(bands: int, frames: int) -> Tensor:
    """Something like a log-mel spectrogram [1, bands, frames]."""
    return -2 + 2 * torch.sin(0.9 * torch.arange(bands * frames, dtype=torch.float64)).float().reshape(1, bands, frames)
