"""The noise of a recording itself: the hiss of tapes and preamplifiers, and rounding to few bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from saga_sr.audio.degradation import Degradation, Degraded, cut_above
from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import Generators, numpy_generators

# Of the hiss, in dB an octave.
TILT_DB = (-3.0, 3.0)
# Peaks of recordings in full scales of as many bits, in dB.
PEAK_DB = {8: (-12.0, 0.0), 16: (-40.0, 0.0)}


class NoiseFloor:
    """Another degradation, with noise under its edge: hiss, or rounding with dither, as likely.

    The noise is in the input alone, so that it is never learned as content.

    Args:
        degradation: what is done first.
        sample_rate: Hz.
        hiss_db: lowest and highest level of the hiss, root mean square against that of the clip, drawn uniformly.
        bits: 8 or 16, drawn uniformly; the dither is triangular, 2 steps wide.

    Raises:
        ConfigError: levels that do not rise, or other bits.
    """

    on_cpu = True

    def __init__(
        self,
        degradation: Degradation,
        sample_rate: int,
        hiss_db: tuple[float, float] = (-55.0, -25.0),
        bits: Sequence[int] = (8, 16),
    ) -> None:
        if not hiss_db[0] <= hiss_db[1]:
            raise ConfigError(f"degradation.hiss_db={list(hiss_db)} must rise.")
        if not bits or not {*bits} <= {*PEAK_DB}:
            raise ConfigError(f"degradation.bits={list(bits)} must be some of {', '.join(map(str, PEAK_DB))}.")
        self.degradation = degradation
        self.sample_rate = sample_rate
        self.hiss_db = hiss_db
        self.bits = tuple(bits)

    def __call__(self, hr: Tensor, generators: Generators) -> Degraded:
        """Degrade `hr` [b, c, time]; CPU `generators` draw, so that a seed means the same on any device."""
        degraded = self.degradation(hr, generators)
        draws = numpy_generators(len(hr), generators)
        noise = torch.stack(
            [self._noise(clip, rng) for clip, rng in zip(degraded.lr.cpu().float(), draws, strict=True)]
        )
        noise = cut_above(noise.to(hr), degraded.cutoff_hz, self.sample_rate)
        return Degraded(degraded.lr + noise, degraded.cutoff_hz)

    def _noise(self, clip: Tensor, rng: np.random.Generator) -> Tensor:
        if rng.random() < 0.5:
            level = 10 ** (rng.uniform(*self.hiss_db) / 20)
            return level * clip.square().mean().sqrt() * hiss(clip.shape, rng.uniform(*TILT_DB), rng)
        bits = self.bits[int(rng.integers(len(self.bits)))]
        gain = 10 ** (rng.uniform(*PEAK_DB[bits]) / 20) / max(float(clip.abs().max()), 1e-9)
        return rounded(gain * clip, bits, rng) / gain - clip


def hiss(shape: Sequence[int], tilt_db: float, rng: np.random.Generator) -> Tensor:
    """Noise of `shape` [c, time] and root mean square 1, whose level changes by `tilt_db` an octave."""
    spectrum = np.fft.rfft(rng.standard_normal(tuple(shape), dtype=np.float32))
    spectrum *= np.maximum(np.arange(spectrum.shape[-1]), 1) ** (tilt_db / 20 / np.log10(2))
    noise = np.fft.irfft(spectrum, shape[-1])
    return torch.from_numpy((noise / np.sqrt(np.mean(noise**2))).astype(np.float32))


def rounded(audio: Tensor, bits: int, rng: np.random.Generator) -> Tensor:
    """`audio` [c, time] in steps of 2^(1 - bits), with triangular dither."""
    first, second = torch.from_numpy(rng.random((2, *audio.shape), dtype=np.float32))
    steps = 2 ** (bits - 1)
    return (steps * audio + first - second).round() / steps
