"""Telephone calls: a narrow band at a low rate, and eight bits a sample."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import Tensor

from saga_sr.audio.resample import resample
from saga_sr.core.errors import ConfigError
from saga_sr.degradations.clip_degradation import ClipDegradation

# Band and rate in Hz.
BANDS = {"narrow": (300.0, 3400.0, 8000), "wide": (50.0, 7000.0, 16_000)}
LAWS = ("a", "mu")
# The band-pass falls to nothing from its edges to these shares of them.
FALL_BELOW, FALL_ABOVE = 0.6, 1.06
# Where edges are measured then.
EDGE = 1.04
# Peaks in calls.
PEAK_DB = (-30.0, -3.0)


class Telephone(ClipDegradation):
    """A call: the band and the rate of its network, and in narrow ones G.711 by either law.

    Narrow is 300 to 3,400 Hz at 8 kHz, wide 50 to 7,000 Hz at 16 kHz, as by G.722.

    Args:
        band: `narrow` or `wide`.
        **settings: see `ClipDegradation`.

    Raises:
        ConfigError: another band.

    Source: ITU-T G.711, G.712 and G.722.
    """

    def __init__(self, band: str, sample_rate: int, bandwidth_fraction: float = 0.94) -> None:
        super().__init__(sample_rate, bandwidth_fraction)
        if band not in BANDS:
            raise ConfigError(f"degradation band={band!r} is not known; choose one of {', '.join(BANDS)}.")
        self.band = band

    def degrade_clip(self, audio: Tensor, rng: np.random.Generator) -> tuple[Tensor, float]:
        low, high, rate = BANDS[self.band]
        law, peak_db = LAWS[int(rng.integers(len(LAWS)))], rng.uniform(*PEAK_DB)
        call = resample(band_passed(audio, low, high, self.sample_rate), self.sample_rate, rate)
        if self.band == "narrow":
            gain = 10 ** (peak_db / 20) / max(float(call.abs().max()), 1e-9)
            call = companded(gain * call, law) / gain
        return resample(call, rate, self.sample_rate)[:, : audio.shape[-1]], EDGE * high


def band_passed(audio: Tensor, low_hz: float, high_hz: float, sample_rate: int) -> Tensor:
    """`audio` [c, time] between two frequencies, without a delay."""
    n = audio.shape[-1]
    hz = torch.fft.rfftfreq(2 * n, 1 / sample_rate)
    rise = ((hz / low_hz - FALL_BELOW) / (1 - FALL_BELOW)).clamp(0, 1)
    fall = ((FALL_ABOVE - hz / high_hz) / (FALL_ABOVE - 1)).clamp(0, 1)
    response = (0.5 - 0.5 * torch.cos(math.pi * rise)) * (0.5 - 0.5 * torch.cos(math.pi * fall))
    return torch.fft.irfft(torch.fft.rfft(audio, 2 * n) * response, 2 * n)[..., :n]


def companded(audio: Tensor, law: str) -> Tensor:
    """`audio` as G.711 has it, by the law `a` or `mu`: each sample the nearest of 256 levels."""
    levels = _levels(law)
    middles = (levels[1:] + levels[:-1]) / 2
    return levels[torch.bucketize(audio, middles)]


@functools.lru_cache(maxsize=2)
def _levels(law: str) -> Tensor:
    """The values that codes stand for, in order."""
    segment, step = np.arange(8)[:, None], np.arange(16)
    if law == "a":
        positive = (2 * step + 1 + 32 * (segment > 0)) * 2.0 ** (3 + np.maximum(segment - 1, 0))
    else:
        positive = (2 * step + 33) * 2.0 ** (segment + 2) - 132
    positive = positive.ravel() / 2**15
    return torch.from_numpy(np.sort(np.concatenate([-positive, positive]))).float()
