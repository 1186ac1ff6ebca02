"""Samples that are no numbers of audio: counted, named with their place, and replaced by zeros."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from saga_sr.audio.timecode import timecode

# What is beyond comes from damage, such as bytes in the wrong order, and the square of more overflows.
LARGEST = 1e15


@dataclass
class NotFinite:
    """What of a recording is NaN, infinite or beyond 1e15, as far as it was looked at; `str` says it.

    Attributes:
        count: such samples of all channels.
        channel, sample: of the first that was found, counted from 0.
    """

    sample_rate: int
    count: int = 0
    channel: int = 0
    sample: int = 0

    def zeroed(self, audio: Tensor, start: int = 0) -> Tensor:
        """`audio` [c, time], whose first sample is number `start` of the recording, with zeros in place of these."""
        finite = audio.abs() <= LARGEST
        if finite.all():
            return audio
        places = (~finite).nonzero()
        if not self.count:
            channel, sample = places[places[:, 1].argmin()].tolist()
            self.channel, self.sample = channel, start + sample
        self.count += len(places)
        return audio.where(finite, 0.0)

    def __str__(self) -> str:
        first = f"channel {self.channel + 1} at {timecode(self.sample / self.sample_rate)}, sample number {self.sample}"
        if self.count == 1:
            return f"a sample that is NaN, infinite or beyond 1e15 ({first})"
        return f"{self.count} samples that are NaN, infinite or beyond 1e15 (the first in {first})"
