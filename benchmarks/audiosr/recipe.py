"""Weights and inputs of any shape that are the same everywhere, of their names alone."""

from __future__ import annotations

import math
import zlib

import numpy as np


def value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor's values, float32: weights that keep the size of what goes through, gains around 1, small biases."""
    draw = normal(name, shape)
    if len(shape) > 1:
        return draw / math.sqrt(math.prod(shape[1:]))
    return 1 + 0.1 * draw if name.endswith("weight") else 0.1 * draw


def normal(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Normal numbers, float32."""
    return np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, dtype=np.float32)
