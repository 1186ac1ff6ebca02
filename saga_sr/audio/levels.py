"""How loud the channels of a recording are, and where they are clipped, above full scale, silent, or not finite."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from torch import Tensor

# The highest value that files of few bits can hold, and below it the one of 16 bits: recordings that were clipped in 16
# bits are kept in more.
HIGHEST = {"PCM_U8": 1 - 2**-7, "PCM_S8": 1 - 2**-7, "ULAW": 32124 / 2**15, "ALAW": 32256 / 2**15}
HIGHEST_OF_16_BITS = 1 - 2**-15
# Equal samples at full scale that make a clipped place; fewer are what a normalised recording has at its peak.
CLIPPED = 3
# Zeros that make a silent place.
SILENCE_S = 1.0


@dataclass(frozen=True)
class Places:
    """Where something holds in a channel: in how many stretches, of how many samples in all, from when on the first."""

    count: int = 0
    samples: int = 0
    first_s: float | None = None


@dataclass(frozen=True)
class Levels:
    """How loud a channel is. Samples that are not finite count as zeros.

    Attributes:
        rms, peak: of its samples, 1 being full scale.
        dc: mean of its samples.
        clipped: at least three equal samples in a row at full scale.
        above_full_scale: samples beyond it, as floats and decoders have them.
        silence: zeros for a second or longer.
        not_finite: NaN and infinity.
    """

    rms: float
    peak: float
    dc: float
    clipped: Places
    above_full_scale: Places
    silence: Places
    not_finite: Places

    def places(self) -> dict[str, Places]:
        """All that is found in places, by its name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Places)}


class LevelMeter:
    """Measures a recording that comes in blocks; the result is the same for all divisions into blocks.

    Args:
        sample_rate: Hz.
        channels: how many.
        encoding: how the file holds samples, see `AudioInfo`.
    """

    def __init__(self, sample_rate: int, channels: int, encoding: str = "") -> None:
        highest = HIGHEST.get(encoding, HIGHEST_OF_16_BITS)
        self._channels = [_Channel(sample_rate, np.float32(highest)) for _ in range(channels)]

    def add(self, block: Tensor) -> None:
        """Take the next block, [channel, time] float32."""
        for channel, samples in zip(self._channels, block.numpy(), strict=True):
            channel.add(samples)

    def finish(self) -> list[Levels]:
        """The levels of each channel."""
        return [channel.finish() for channel in self._channels]


class _Channel:
    def __init__(self, sample_rate: int, highest: np.float32) -> None:
        self.highest = highest
        self.samples, self.total, self.power, self.peak = 0, 0.0, 0.0, 0.0
        self.last = np.zeros(1, dtype=np.float32)
        # Of samples that are equal to the one before.
        self.clipped = _Runs(sample_rate, CLIPPED - 1, led_by=1)
        self.above, self.not_finite = _Runs(sample_rate, 1), _Runs(sample_rate, 1)
        self.silence = _Runs(sample_rate, round(SILENCE_S * sample_rate))

    def add(self, samples: np.ndarray) -> None:
        finite = np.isfinite(samples)
        self.not_finite.add(~finite)
        samples = np.where(finite, samples, np.float32(0))
        size = np.abs(samples)
        same = np.diff(samples, prepend=self.last) == 0
        self.clipped.add(same & (size >= self.highest))
        self.above.add(size > 1)
        self.silence.add((size == 0) & finite)
        self.samples += len(samples)
        self.total += float(samples.sum(dtype=np.float64))
        self.power += float(np.square(samples, dtype=np.float64).sum())
        self.peak = max(self.peak, float(size.max(initial=0)))
        self.last = samples[-1:] if len(samples) else self.last

    def finish(self) -> Levels:
        count = max(self.samples, 1)
        return Levels(
            sqrt(self.power / count),
            self.peak,
            self.total / count,
            clipped=self.clipped.finish(),
            above_full_scale=self.above.finish(),
            silence=self.silence.finish(),
            not_finite=self.not_finite.finish(),
        )


class _Runs:
    """Counts runs of at least `shortest` samples of which something holds, in a channel that comes in blocks.

    Args:
        led_by: samples before each run that belong to it.
    """

    def __init__(self, sample_rate: int, shortest: int, led_by: int = 0) -> None:
        self.sample_rate, self.shortest, self.led_by = sample_rate, shortest, led_by
        self.count = self.samples = self.seen = self.open = 0
        self.first: int | None = None

    def add(self, holds: np.ndarray) -> None:
        turns = np.flatnonzero(np.diff(holds, prepend=self.open > 0))
        if self.open:
            turns = np.concatenate([[-self.open], turns])
        self.open = 0
        if len(turns) % 2:
            self.open = len(holds) - int(turns[-1])
            turns = turns[:-1]
        self._take(turns[::2], turns[1::2])
        self.seen += len(holds)

    def finish(self) -> Places:
        if self.open:
            self._take(np.array([-self.open]), np.array([0]))
            self.open = 0
        return Places(self.count, self.samples, None if self.first is None else self.first / self.sample_rate)

    def _take(self, begins: np.ndarray, ends: np.ndarray) -> None:
        long = ends - begins >= self.shortest
        found = int(long.sum())
        if not found:
            return
        if self.first is None:
            self.first = self.seen + int(begins[long][0]) - self.led_by
        self.count += found
        self.samples += int((ends - begins)[long].sum()) + found * self.led_by
