"""Spectra of a recording by sections of about a second, which clicks do not show in."""

from __future__ import annotations

from itertools import pairwise
from math import log2
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

SECTION_S = 1.0
# Bins of about this width, so that the lowest edges are told apart at any rate.
BIN_HZ = 43.0
# Bands are two bins wide, or this share of their frequency.
BAND_SHARE = 0.02
# A click lasts shorter than this many frames in a row, content longer.
CLICK_FRAMES = 3
# A band is as loud as in the loudest sixth of a section, and as quiet as in its quietest.
LOUD, QUIET = 0.85, 0.15
# Attacks are looked for in frames an eighth as long: they last for as many in a row, at as many places.
ATTACK_SHARE, ATTACK_FRAMES, ATTACK_PLACES = 8, 7, 5


class SectionLevels(NamedTuple):
    """Level in dB where each section is loud and where it is quiet, [channel, section, band or bin]."""

    loud: np.ndarray
    quiet: np.ndarray

    def channel(self, index: int) -> SectionLevels:
        """Those of a single channel, [1, section, band]."""
        return SectionLevels(self.loud[index : index + 1], self.quiet[index : index + 1])


class SectionSpectra:
    """Levels of each band, channel and section of a recording that comes in blocks.

    A band's power is the least of three frames in a row (23 to 46 ms): clicks are shorter. Drums may be, too, so
    attacks are measured apart, in frames of 3 ms: only four clicks or more within 12 ms look like one. The result is
    the same for all divisions into blocks.

    Args:
        sample_rate: Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.n_fft = max(64, 2 ** round(log2(sample_rate / BIN_HZ)))
        self.hop = self.n_fft // 2
        self.frames = max(CLICK_FRAMES, round(SECTION_S * sample_rate / self.hop))
        self.bounds = _band_bounds(self.n_fft // 2)
        self.num_samples = 0
        self._window = torch.hann_window(self.n_fft)
        self._short_window = torch.hann_window(self.n_fft // ATTACK_SHARE)
        self._mean = _band_means(self.bounds, self.n_fft // 2 + 1)
        self._rest: list[Tensor] = []
        self._held = 0
        self._levels, self._attacks = _Stack(), _Stack()

    @property
    def section_s(self) -> float:
        """Seconds from one section to the next."""
        return self.frames * self.hop / self.sample_rate

    @property
    def band_hz(self) -> np.ndarray:
        """Lower and upper frequency of each band, [band, 2]."""
        bounds = (self.bounds - 0.5) * (self.sample_rate / self.n_fft)
        return np.stack([bounds[:-1], bounds[1:]], axis=1)

    def add(self, block: Tensor) -> None:
        """Take the next block, [channel, time]."""
        self.num_samples += block.shape[-1]
        self._rest.append(block.float())
        self._held += block.shape[-1]
        length = (self.frames - 1) * self.hop + self.n_fft
        if self._held < length:
            return
        held, step = torch.cat(self._rest, dim=-1), self.frames * self.hop
        starts = range(0, self._held - length + 1, step)
        for start in starts:
            self._measure(held[:, start : start + length])
        held = held[:, len(starts) * step :].clone()
        self._rest, self._held = [held], held.shape[-1]

    def finish(self) -> tuple[SectionLevels, SectionLevels]:
        """Levels of what lasts, by bands, and of attacks, by bins from 0 to Nyquist.

        A last part of under a third of a section is left out.
        """
        rest = torch.cat(self._rest, dim=-1) if self._rest else torch.zeros(1, 0)
        if not self._levels.count or self._held >= self.frames * self.hop // 3 + self.n_fft:
            length = max(self.n_fft, self._held)
            self._measure(torch.nn.functional.pad(rest, (0, length - self._held)))
        lasting, attacks = (levels.rows().transpose(0, 1).numpy() for levels in (self._levels, self._attacks))
        return SectionLevels(lasting[:, :, 0], lasting[:, :, 1]), SectionLevels(attacks[:, :, 0], attacks[:, :, 1])

    def _measure(self, section: Tensor) -> None:
        """Take a section, [channel, time]."""
        power = _least_in_a_row(_power(section, self._window) @ self._mean, CLICK_FRAMES)
        last = power.shape[1] - 1
        ordered = power.sort(dim=1).values
        self._levels.append(_decibels(ordered[:, round(LOUD * last)], ordered[:, round(QUIET * last)]))
        power = _least_in_a_row(_power(section, self._short_window), ATTACK_FRAMES)
        places = power.shape[1]
        loud = power.topk(min(ATTACK_PLACES, places), dim=1).values[:, -1]
        self._attacks.append(_decibels(loud, power.kthvalue(1 + round(QUIET * (places - 1)), dim=1).values))


class _Stack:
    """Tensors of one shape in one block of memory, [row, ...].

    Many small blocks would lie between the large ones of each section's computation, and keep them from being given
    back: 600 MB for an hour of stereo.
    """

    def __init__(self) -> None:
        self._block = torch.empty(0)
        self.count = 0

    def append(self, row: Tensor) -> None:
        """Add the next row."""
        if self.count == len(self._block):
            more = torch.empty(max(256, self.count), *row.shape)
            self._block = torch.cat([self._block, more]) if self.count else more
        self._block[self.count] = row
        self.count += 1

    def rows(self) -> Tensor:
        """All rows."""
        return self._block[: self.count]


def _power(audio: Tensor, window: Tensor) -> Tensor:
    """[channel, time] -> that of frames that overlap by half, [channel, frame, bin]."""
    spectrum = torch.fft.rfft(audio.unfold(-1, len(window), len(window) // 2) * window)
    return spectrum.real.square() + spectrum.imag.square()


def _least_in_a_row(power: Tensor, frames: int) -> Tensor:
    """The least of each so many frames in a row: [channel, frame, bin]."""
    for _ in range(min(frames, power.shape[1]) - 1):
        power = torch.minimum(power[:, 1:], power[:, :-1])
    return power


def _decibels(loud: Tensor, quiet: Tensor) -> Tensor:
    """[channel, bin] each -> [channel, 2, bin]."""
    return torch.stack([loud, quiet], dim=1).clamp(min=1e-37).log10().mul(10)


def _band_bounds(bins: int) -> np.ndarray:
    """First bin of each band, and the end; DC and the bin beside it belong to none."""
    bounds = [2]
    while bounds[-1] < bins:
        bounds.append(bounds[-1] + max(2, round(BAND_SHARE * bounds[-1])))
    return np.array([*bounds[:-1], bins + 1])


def _band_means(bounds: np.ndarray, bins: int) -> Tensor:
    """The matrix that takes bins to the means of bands, [bin, band]."""
    matrix = torch.zeros(bins, len(bounds) - 1)
    for band, (first, end) in enumerate(pairwise(bounds.tolist())):
        matrix[first:end, band] = 1 / (end - first)
    return matrix
