"""Log-mel spectrograms as the vocoders and autoencoders of others expect them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from saga_sr.codecs.stft import STFT, Padding
from saga_sr.core.errors import ConfigError

Scale = Literal["slaney", "htk"]
# Slaney's scale: linear up to 1 kHz, then 27 steps for a factor of 6.4.
LINEAR_HZ, LINEAR_STEP_HZ, LOG_STEP = 1000.0, 200 / 3, math.log(6.4) / 27


@dataclass(frozen=True)
class MelSettings:
    """What a log-mel spectrogram is made by.

    Attributes:
        sample_rate, fmin, fmax: Hz; an `fmax` of None is half the rate.
        n_fft, hop_length, win_length: samples; a `win_length` of None is `n_fft`.
        n_mels: bands.
        padding: see `STFT`.
        scale: `slaney`, whose bands have unit area (librosa's default), or `htk`, whose bands have unit height
            (torchaudio's default).
        log: `natural` or `log10` of the magnitudes.
        floor: magnitudes below it count as it.
        epsilon: added to a bin's power before its root is taken.
    """

    sample_rate: int
    n_fft: int
    hop_length: int
    n_mels: int
    fmin: float = 0.0
    fmax: float | None = None
    win_length: int | None = None
    padding: Padding = "center"
    scale: Scale = "slaney"
    log: Literal["natural", "log10"] = "natural"
    floor: float = 1e-5
    epsilon: float = 0.0


class MelSpectrogram(nn.Module):
    """Audio -> logarithms of the magnitudes in bands that are as wide as the ear's.

    Raises:
        ConfigError: bands that `settings` cannot have.
    """

    filters: Tensor

    def __init__(self, settings: MelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.stft = STFT(settings.n_fft, settings.hop_length, settings.win_length, settings.padding)
        self.register_buffer("filters", mel_filters(settings), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """Log-mel spectrogram [b, n_mels, frame] of `audio` [b, time].

        Raises:
            AudioError: `audio` is shorter than a window.
        """
        spectra = self.stft(audio)
        power = spectra.real.square() + spectra.imag.square()
        mel = (self.filters @ (power + self.settings.epsilon).sqrt()).clamp(min=self.settings.floor)
        return mel.log() if self.settings.log == "natural" else mel.log10()

    def magnitudes(self, log_mel: Tensor) -> Tensor:
        """The magnitudes in bands that `log_mel` [b, n_mels, frame] are the logarithms of."""
        return log_mel.exp() if self.settings.log == "natural" else 10**log_mel


def mel_filters(settings: MelSettings) -> Tensor:
    """Triangles [n_mels, n_fft / 2 + 1] that bins are weighted by.

    Raises:
        ConfigError: frequencies that the rate does not have.
    """
    nyquist = settings.sample_rate / 2
    fmax = nyquist if settings.fmax is None else settings.fmax
    if not 0 <= settings.fmin < fmax <= nyquist or settings.n_mels < 1:
        raise ConfigError(
            f"{settings.n_mels} bands from {settings.fmin:g} to {fmax:g} Hz are not possible at {settings.sample_rate} "
            f"Hz; choose at least one band and frequencies up to {nyquist:g} Hz."
        )
    bins = torch.linspace(0, nyquist, settings.n_fft // 2 + 1, dtype=torch.float64)
    ends = to_mel(torch.tensor([settings.fmin, fmax], dtype=torch.float64), settings.scale)
    edges = to_hz(torch.linspace(ends[0], ends[1], settings.n_mels + 2, dtype=torch.float64), settings.scale)
    widths = edges.diff()[:, None]
    rising = (bins - edges[:-2, None]) / widths[:-1]
    falling = (edges[2:, None] - bins) / widths[1:]
    filters = torch.minimum(rising, falling).clamp(min=0)
    if settings.scale == "slaney":
        filters *= 2 / (edges[2:] - edges[:-2])[:, None]
    return filters.float()


def to_mel(hz: Tensor, scale: Scale) -> Tensor:
    """Frequencies on a mel scale."""
    if scale == "htk":
        return 2595 * (1 + hz / 700).log10()
    above = LINEAR_HZ / LINEAR_STEP_HZ + (hz.clamp(min=LINEAR_HZ) / LINEAR_HZ).log() / LOG_STEP
    return torch.where(hz < LINEAR_HZ, hz / LINEAR_STEP_HZ, above)


def to_hz(mel: Tensor, scale: Scale) -> Tensor:
    """What `to_mel` was given."""
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    linear = mel * LINEAR_STEP_HZ
    return torch.where(linear < LINEAR_HZ, linear, LINEAR_HZ * ((mel - LINEAR_HZ / LINEAR_STEP_HZ) * LOG_STEP).exp())
