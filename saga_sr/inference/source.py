"""Any stretch of a file at the model's rate, without reading the rest."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from saga_sr.audio.files import AudioReader
from saga_sr.audio.resample import resample
from saga_sr.audio.spectrum import bandwidth_hz

CONTEXT_S = 0.05  # what a resampling kernel reaches on each side, with room to spare
EXCERPTS, EXCERPT_S = 8, 5.0


class ResampledSource:
    """An open file seen at `sample_rate`: positions and lengths are in samples of that rate."""

    def __init__(self, reader: AudioReader, sample_rate: int) -> None:
        self.reader = reader
        self.sample_rate = sample_rate
        self.file_rate = reader.info.sample_rate
        self.length = math.ceil(reader.info.frames * sample_rate / self.file_rate)

    def read(self, begin: int, end: int) -> Tensor:
        """Audio [c, end - begin]."""
        if self.file_rate == self.sample_rate:
            return self.reader.read(begin, end - begin)
        shared = math.gcd(self.file_rate, self.sample_rate)
        step, file_step = self.sample_rate // shared, self.file_rate // shared
        context = math.ceil(CONTEXT_S * self.sample_rate)
        # Both clocks tick together every `step` samples here, `file_step` there: cut the file on such a tick.
        first = max((begin - context) // step, 0)
        last = min(math.ceil((end + context) / step) * file_step, self.reader.info.frames)
        audio = self.reader.read(first * file_step, last - first * file_step)
        audio = resample(audio, self.file_rate, self.sample_rate)[:, begin - first * step :][:, : end - begin]
        return pad(audio, (0, end - begin - audio.shape[1]))

    def excerpts(self) -> Tensor:
        """Audio [c, time] from places spread over the file, at most 40 s in all."""
        excerpt = min(round(EXCERPT_S * self.sample_rate), self.length)
        count = min(EXCERPTS, math.ceil(self.length / excerpt))
        starts = torch.linspace(0, self.length - excerpt, count).long().tolist()
        return torch.cat([self.read(start, start + excerpt) for start in starts], dim=1)

    def bandwidth_hz(self) -> float:
        """Where the recording's content ends, measured on excerpts."""
        return float(bandwidth_hz(self.excerpts()[None], self.sample_rate)[0])
