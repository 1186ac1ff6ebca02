"""Recordings as the enhancer reads them: any stretch, at the model's rate, from a file, an array or a stream."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

from saga_sr.audio.resample import resample
from saga_sr.files.reading import AudioInfo

CONTEXT_S = 0.05  # what a resampling kernel reaches on each side, with room to spare
EXCERPTS, EXCERPT_S = 8, 5.0
BLOCK_S = 10.0


class Reader(Protocol):
    """What samples are read from, at their own rate."""

    @property
    def info(self) -> AudioInfo:
        """Rate, channels and length."""

    def read(self, start: int, frames: int) -> Tensor:
        """Samples [channels, frames] from `start` on."""


class ArrayReader:
    """Samples [channels, time] in memory."""

    def __init__(self, audio: Tensor, sample_rate: int) -> None:
        self.audio = audio
        self.info = AudioInfo(Path("audio"), sample_rate, audio.shape[0], audio.shape[1], floats=True)

    def read(self, start: int, frames: int) -> Tensor:
        """Samples [channels, frames] from `start` on; fewer at the end."""
        return self.audio[:, start : start + frames]


class StreamReader:
    """The newest samples of a stream; those before `drop_before` are gone.

    Attributes:
        available: samples that have come, of which those dropped cannot be read any more.
    """

    def __init__(self, channels: int, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.first = 0
        self.kept = torch.empty(channels, 0)

    @property
    def available(self) -> int:
        """How many samples have come so far."""
        return self.first + self.kept.shape[1]

    @property
    def info(self) -> AudioInfo:
        """As long as what has come so far."""
        return AudioInfo(Path("stream"), self.sample_rate, self.kept.shape[0], self.available)

    def append(self, block: Tensor) -> None:
        """Take the next samples [channels, time]."""
        self.kept = torch.cat([self.kept, block], dim=1)

    def drop_before(self, start: int) -> None:
        """Forget all samples before `start`."""
        gone = max(0, min(start, self.available) - self.first)
        self.kept, self.first = self.kept[:, gone:].clone(), self.first + gone

    def read(self, start: int, frames: int) -> Tensor:
        """Samples [channels, frames] from `start` on; fewer at the end."""
        return self.kept[:, start - self.first : start - self.first + frames]


class Recording:
    """What a reader holds, seen at `sample_rate`: positions and lengths are in samples of that rate."""

    def __init__(self, reader: Reader, sample_rate: int) -> None:
        self.reader = reader
        self.sample_rate = sample_rate
        shared = math.gcd(reader.info.sample_rate, sample_rate)
        # Both clocks tick together every `step` samples here, `file_step` there.
        self.step, self.file_step = sample_rate // shared, reader.info.sample_rate // shared

    @property
    def length(self) -> int:
        """Samples at `sample_rate`."""
        return -(-self.reader.info.frames * self.step // self.file_step)

    @property
    def context(self) -> int:
        """Samples on each side of a stretch that its resampling reaches."""
        return 0 if self.step == self.file_step else math.ceil(CONTEXT_S * self.sample_rate)

    def file_start(self, begin: int) -> int:
        """The first of the reader's samples that reading from `begin` on needs."""
        return max((begin - self.context) // self.step, 0) * self.file_step

    def read(self, begin: int, end: int) -> Tensor:
        """Audio [c, end - begin]."""
        if self.step == self.file_step:
            return self.reader.read(begin, end - begin)
        start = self.file_start(begin)
        stop = min(math.ceil((end + self.context) / self.step) * self.file_step, self.reader.info.frames)
        audio = resample(self.reader.read(start, stop - start), self.reader.info.sample_rate, self.sample_rate)
        offset = begin - start // self.file_step * self.step
        audio = audio[:, offset : offset + end - begin]
        return pad(audio, (0, end - begin - audio.shape[1]))

    def blocks(self) -> Iterator[Tensor]:
        """All of it in blocks [c, time], at the reader's own rate."""
        size, frames = round(BLOCK_S * self.reader.info.sample_rate), self.reader.info.frames
        for start in range(0, frames, size):
            yield self.reader.read(start, min(size, frames - start))

    def excerpts(self) -> Tensor:
        """Audio [c, time] from places spread over the recording, at most 40 s in all."""
        excerpt = min(round(EXCERPT_S * self.sample_rate), self.length)
        count = min(EXCERPTS, math.ceil(self.length / excerpt))
        starts = torch.linspace(0, self.length - excerpt, count).long().tolist()
        return torch.cat([self.read(start, start + excerpt) for start in starts], dim=1)
