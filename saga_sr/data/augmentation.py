"""Recordings as they could have been: at another speed, or with something else beside.

A network that is to say what lies above a cutoff learns the voices and instruments of few recordings by heart. Changes
that keep a sound one that could be real, high band and all, make many of few.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from torch import Tensor

from saga_sr.core.errors import ConfigError

# Speeds are so many parts of one: ratios of few parts are quick to resample by.
SPEEDS = 20
# How loud what is beside is, relative to the first, in dB: mean and standard deviation.
BESIDE_DB = (-3.0, 8.0)


class Augmentation:
    """How crops are changed when they are drawn for training.

    Args:
        speed: tempo and pitch change by a factor up to this, and down to one over it (speed perturbation: Ko et al.,
            "Audio Augmentation for Speech Recognition", 2015); where content ends goes with it.
        mixed: share of the crops that another is added to.

    Raises:
        ConfigError: a speed below 1 or above 2, or a share that is not one.
    """

    def __init__(self, speed: float = 1.0, mixed: float = 0.0) -> None:
        if not 1 <= speed <= 2 or not 0 <= mixed <= 1:
            raise ConfigError(
                f"data.augmentation: speed={speed} must lie between 1 and 2, and mixed={mixed} between 0 and 1."
            )
        self.speeds = range(math.ceil(SPEEDS / speed), math.floor(SPEEDS * speed) + 1)
        self.mixed = mixed

    @property
    def changes(self) -> bool:
        """Whether it does anything."""
        return len(self.speeds) > 1 or self.mixed > 0

    def speed(self, rng: np.random.Generator) -> Fraction:
        """The factor of one crop."""
        return Fraction(int(rng.choice(self.speeds)), SPEEDS)

    def is_mixed(self, rng: np.random.Generator) -> bool:
        """Whether a crop gets another beside it."""
        return bool(rng.random() < self.mixed)

    def mixture(self, audio: Tensor, other: Tensor, rng: np.random.Generator) -> Tensor:
        """`audio` with `other` [c, time] beside it, at a random level relative to it."""
        ratio = audio.square().mean().sqrt() / other.square().mean().sqrt()
        return audio + float(10 ** (rng.normal(*BESIDE_DB) / 20)) * ratio * other
