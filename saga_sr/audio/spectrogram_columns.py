"""A spectrogram of a recording of any length, as many columns wide as a picture shows."""

from __future__ import annotations

from math import log2

import torch
from torch import Tensor

COLUMNS = 1000
BIN_HZ = 21.5


class SpectrogramColumns:
    """The mean power spectrum of each of at most `COLUMNS` stretches of a recording that comes in blocks.

    Args:
        sample_rate: Hz.
        num_samples: how many there will be in each channel.
        channels: how many.
    """

    def __init__(self, sample_rate: int, num_samples: int, channels: int) -> None:
        self.n_fft = max(64, 2 ** round(log2(sample_rate / BIN_HZ)))
        self.hop = self.n_fft // 4
        self.frames = num_samples // self.hop + 1
        self.columns = min(COLUMNS, self.frames)
        self._window = torch.hann_window(self.n_fft)
        self._power = torch.zeros(channels, self.columns, self.n_fft // 2 + 1)
        self._counts = torch.zeros(self.columns)
        # The first frame is centred on the first sample.
        self._rest = torch.zeros(channels, self.n_fft // 2)
        self._frame = 0

    def add(self, block: Tensor) -> None:
        """Take the next block, [channel, time]."""
        held = torch.cat([self._rest, block.float()], dim=-1)
        count = max(0, (held.shape[-1] - self.n_fft) // self.hop + 1)
        if count:
            spectrum = torch.fft.rfft(held.unfold(-1, self.n_fft, self.hop) * self._window)
            column = (torch.arange(self._frame, self._frame + count) * self.columns) // self.frames
            column.clamp_(max=self.columns - 1)
            self._power.index_add_(1, column, spectrum.abs().square())
            self._counts.index_add_(0, column, torch.ones(count))
            self._frame += count
        self._rest = held[:, count * self.hop :].clone()

    def finish(self) -> Tensor:
        """Level in dB, [channel, column, bin]; a sine at full scale is at 0."""
        self.add(torch.zeros(self._rest.shape[0], self.n_fft // 2))
        power = self._power / self._counts.clamp(min=1)[:, None] / (self._window.sum() / 2).square()
        return power.clamp(min=1e-20).log10().mul(10)
