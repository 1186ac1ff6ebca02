"""Audio from magnitudes alone, without a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saga_sr.codecs.mel_spectrogram import MelSpectrogram
from saga_sr.codecs.stft import STFT

# Steps towards the magnitudes that explain a mel spectrogram; its error is below that of finding phases by then.
SPREADING_STEPS = 10


class GriffinLim(nn.Module):
    """Log-mel spectrogram -> audio: magnitudes that explain it, with phases that agree with each other.

    Args:
        mel: what the spectrogram was made by.
        iterations: of finding phases.
    """

    def __init__(self, mel: MelSpectrogram, iterations: int = 32) -> None:
        super().__init__()
        self.mel = mel
        self.iterations = iterations

    def forward(self, log_mel: Tensor) -> Tensor:
        """Audio [b, time] of `log_mel` [b, n_mels, frame], as long as `STFT.inverse` makes it."""
        return griffin_lim(linear_magnitudes(log_mel, self.mel), self.mel.stft, self.iterations)


def linear_magnitudes(log_mel: Tensor, mel: MelSpectrogram) -> Tensor:
    """Magnitudes [b, n_fft / 2 + 1, frame] of bins, none negative, whose mel spectrogram is `log_mel`.

    Source: the multiplicative steps of Lee & Seung (2001), which keep what is positive so; from what each band would
    give its bins alone.
    """
    filters, bands = mel.filters, mel.magnitudes(log_mel)
    bins = filters.T @ (bands / filters.square().sum(dim=1, keepdim=True).clamp(min=1e-12))
    target = filters.T @ bands
    for _ in range(SPREADING_STEPS):
        bins = bins * target / (filters.T @ (filters @ bins)).clamp(min=1e-12)
    return bins


def griffin_lim(magnitudes: Tensor, stft: STFT, iterations: int = 32, momentum: float = 0.99) -> Tensor:
    """Audio [b, time] whose spectra have about these `magnitudes` [b, n_fft / 2 + 1, frame].

    It begins at random phases, the same ones each time.

    Source: Perraudin, Balazs & Søndergaard, "A fast Griffin-Lim algorithm" (2013).
    """
    phases = torch.rand(magnitudes.shape[1:], generator=torch.Generator().manual_seed(0)).to(magnitudes)
    spectra = torch.polar(magnitudes, (2 * torch.pi * phases).expand_as(magnitudes))
    before = torch.zeros_like(spectra)
    for _ in range(iterations):
        consistent = stft(stft.inverse(spectra))
        ahead = consistent - momentum / (1 + momentum) * before
        spectra = magnitudes * ahead / ahead.abs().clamp(min=1e-16)
        before = consistent
    return stft.inverse(spectra)
