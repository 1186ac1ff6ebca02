"""Change of sampling rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

ZERO_CROSSINGS, ROLLOFF, BETA = 64, 0.9475937167399596, 14.769656459379492


def resample(audio: Tensor, from_hz: int, to_hz: int) -> Tensor:
    """`audio` [..., time] at another rate: windowed-sinc interpolation (Kaiser, 64 zero crossings, -120 dB).

    Returns:
        [..., ceil(time * to_hz / from_hz)].

    Source: Smith, "Digital Audio Resampling"; the parameters are those of resampy's `kaiser_best`.
    """
    if from_hz == to_hz:
        return audio
    filters = _filters(from_hz, to_hz, audio.dtype, audio.device)
    length = -(-audio.shape[-1] * to_hz // from_hz)
    cycles = -(-length // filters.up)
    # The last window begins `down` samples before the end of the last cycle, and no window is longer than this.
    padded = pad(audio, (filters.reach, (cycles + 1) * filters.down + 2 * filters.reach - audio.shape[-1]))
    changed = audio.new_empty(*audio.shape[:-1], cycles, filters.up)
    first = 0
    for begin, kernel in zip(filters.begins, filters.kernels, strict=True):
        last = first + kernel.shape[1]
        windows = padded[..., begin:].unfold(-1, kernel.shape[0], filters.down)[..., :cycles, :]
        changed[..., first:last] = windows @ kernel
        first = last
    return changed.flatten(-2)[..., :length]


@dataclass(frozen=True)
class _Filters:
    """A cycle of `up` outputs for `down` inputs, in blocks of outputs that are one matrix product each.

    Attributes:
        reach: samples that an output needs on each side.
        begins: where each block's window begins in a cycle, counted from `reach` samples before it.
        kernels: each block's [window, output].
    """

    up: int
    down: int
    reach: int
    begins: list[int]
    kernels: list[Tensor]


@lru_cache(maxsize=8)
def _filters(from_hz: int, to_hz: int, dtype: torch.dtype, device: torch.device) -> _Filters:
    """Blocks of about as many inputs as a filter reaches to one side: so at most a third of each product is zeros.

    Rates that share a large factor have several of their cycles in a block, and those that share none many blocks in a
    cycle; either way the kernels hold about 200 values for each output of a cycle.
    """
    shared = math.gcd(from_hz, to_hz)
    up, down = to_hz // shared, from_hz // shared
    crossings_per_sample = min(up / down, 1.0) * ROLLOFF
    reach = math.ceil(ZERO_CROSSINGS / crossings_per_sample)
    repeats = max(reach // down, 1)
    up, down = up * repeats, down * repeats
    step = max(reach * up // down, 1)
    begins, kernels = [], []
    for first in range(0, up, step):
        outputs = torch.arange(first, min(first + step, up), dtype=torch.float64)
        begin = first * down // up
        window = int(outputs[-1]) * down // up - begin + 2 * reach + 1
        samples = torch.arange(begin - reach, begin - reach + window, dtype=torch.float64)
        distance = (samples[:, None] - outputs * down / up) * crossings_per_sample
        begins.append(begin)
        kernels.append((crossings_per_sample * _kaiser_sinc(distance)).to(device, dtype))
    return _Filters(up, down, reach, begins, kernels)


def _kaiser_sinc(crossings: Tensor) -> Tensor:
    """The sinc function under a Kaiser window, at `crossings` of zero from its middle; nothing outside the window."""
    inside = (1 - (crossings / ZERO_CROSSINGS).square()).clamp(min=0).sqrt()
    window = torch.i0(BETA * inside) / torch.i0(torch.tensor(BETA, dtype=crossings.dtype))
    return torch.sinc(crossings) * window.where(crossings.abs() < ZERO_CROSSINGS, 0.0)
