"""The length of a clip as condition."""

from __future__ import annotations

import torch
from torch import Tensor

from saga_sr.conditioning.condition import TrainingPairs
from saga_sr.conditioning.numbers import NumbersCondition
from saga_sr.conditioning.types import ConditionRequest


class DurationCondition(NumbersCondition):
    """Where a clip begins and how long it is, as Stable Audio's `seconds_start` and `seconds_total`. Never dropped.

    A crop is a clip of its own that begins at 0. All crops of a training have one length, so that is the length given
    for any chunk of a recording later: the model has learned no other number.

    Args:
        width: of an embedding.
        num_samples, sample_rate: length of training's crops, in samples at so many Hz.
        max_seconds: what the embedding's range ends at.
        attended: both are tokens of cross-attention too, as in Stable Audio.
    """

    numbers = ("start", "total")

    def __init__(
        self, width: int, num_samples: int, sample_rate: int, max_seconds: float = 512.0, attended: bool = True
    ) -> None:
        super().__init__(width, attended)
        self.total_share = num_samples / sample_rate / max_seconds
        self.meaning = f"always 0 and {self.total_share:.9g}"

    def from_training(self, pairs: TrainingPairs) -> Tensor:
        return self._of(len(pairs.captions))

    def from_request(self, request: ConditionRequest) -> Tensor:
        return self._of(len(request.prompts))

    def _of(self, clips: int) -> Tensor:
        """Begin and length [b, 2] of so many clips, as shares of `max_seconds`."""
        return torch.tensor([[0.0, self.total_share]]).expand(clips, 2)
