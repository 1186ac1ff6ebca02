"""Changes of rate as cheap converters make them: without a filter before, or without one after."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from saga_sr.audio.resample import resample
from saga_sr.core.errors import ConfigError
from saga_sr.degradations.clip_degradation import ClipDegradation

METHODS = ("decimated", "linear", "nearest")
# Of the lower rate's Nyquist, where the proper filter on the other side ends.
FILTERED = 0.967


class CheapResampling(ClipDegradation):
    """To a lower rate and back, one of the two ways without a filter.

    `decimated` folds what is above the lower rate's Nyquist to below it. `linear` and `nearest` interpolate on the way
    back: the band sinks towards its edge. The images that they leave above it are cut off here; enhancing takes them
    for content unless it is told the cutoff.

    Args:
        method: `decimated`, `linear` or `nearest`.
        rates: in Hz, drawn uniformly.
        **settings: see `ClipDegradation`.

    Raises:
        ConfigError: another method, no rate, or one that is not below `sample_rate`.
    """

    def __init__(self, method: str, rates: Sequence[int], sample_rate: int, bandwidth_fraction: float = 0.94) -> None:
        super().__init__(sample_rate, bandwidth_fraction)
        if method not in METHODS:
            raise ConfigError(f"degradation method={method!r} is not known; choose one of {', '.join(METHODS)}.")
        if not rates or not 0 < min(rates) <= max(rates) < sample_rate:
            raise ConfigError(f"degradation rates={list(rates)} must lie between 0 and {sample_rate} Hz.")
        self.method = method
        self.rates = tuple(rates)

    def degrade_clip(self, audio: Tensor, rng: np.random.Generator) -> tuple[Tensor, float]:
        rate = self.rates[int(rng.integers(len(self.rates)))]
        length = audio.shape[-1]
        if self.method == "decimated":
            low = interpolated(audio, self.sample_rate, rate, -(-length * rate // self.sample_rate))
            back = resample(low, rate, self.sample_rate)[:, :length]
        else:
            low = resample(audio, self.sample_rate, rate)
            back = interpolated(low, rate, self.sample_rate, length, self.method == "nearest")
        return back, FILTERED * rate / 2


def interpolated(audio: Tensor, from_hz: int, to_hz: int, length: int, nearest: bool = False) -> Tensor:
    """`audio` [c, time] at another rate, [c, length], between the two samples around, or of the nearest one."""
    position = torch.arange(length, dtype=torch.float64) * (from_hz / to_hz)
    last = audio.shape[-1] - 1
    if nearest:
        return audio[:, position.round().long().clamp(max=last)]
    before = position.long().clamp(max=last)
    share = (position - before).clamp(max=1).float()
    return torch.lerp(audio[:, before], audio[:, (before + 1).clamp(max=last)], share)
