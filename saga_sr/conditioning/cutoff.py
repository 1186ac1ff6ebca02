"""Where the input's content ends, as condition."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from saga_sr.conditioning.condition import TrainingPairs, probability
from saga_sr.conditioning.numbers import NumbersCondition
from saga_sr.conditioning.types import ConditionRequest
from saga_sr.core.errors import ConfigError

SCALES = ("log", "linear")
# What the logarithmic scale begins at.
LOWEST_HZ = 100.0


class CutoffCondition(NumbersCondition):
    """The frequency above which the input has nothing: known in training, measured or given in use.

    Args:
        width: of its embedding.
        scale: `linear`, the share of Nyquist; or `log`, its logarithm, 100 Hz being 0 and Nyquist 1.
        dropout: share of training examples that get its null value.
        attended: it is a token of cross-attention too.

    Raises:
        ConfigError: an unknown scale, or a dropout that is not a probability.
    """

    numbers = ("edge",)

    def __init__(self, width: int, scale: str = "log", dropout: float = 0.1, attended: bool = False) -> None:
        if scale not in SCALES:
            raise ConfigError(f"conditioning.cutoff.scale={scale!r} is not known; choose {' or '.join(SCALES)}.")
        super().__init__(width, attended)
        self.scale = scale
        low = f"{LOWEST_HZ:g} Hz"
        self.meaning = "where the input's content ends: " + (
            "f / Nyquist" if scale == "linear" else f"log(f / {low}) / log(Nyquist / {low})"
        )
        self.dropout = probability("cutoff", dropout)

    def from_training(self, pairs: TrainingPairs) -> Tensor:
        return self._scaled(pairs.cutoff_hz, pairs.sample_rate)

    def from_request(self, request: ConditionRequest) -> Tensor:
        return self._scaled(request.cutoff_hz, request.sample_rate)

    def _scaled(self, cutoff_hz: Tensor, sample_rate: int) -> Tensor:
        """Frequencies [b] on the scale, [b, 1]."""
        nyquist = sample_rate / 2
        if self.scale == "linear":
            return (cutoff_hz.float() / nyquist)[:, None]
        return (torch.log(cutoff_hz.float() / LOWEST_HZ) / math.log(nyquist / LOWEST_HZ))[:, None]
