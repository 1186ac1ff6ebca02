"""The bands above and below a cutoff held against each other, in one clip: energies, channels, errors, levels.

Decibels are kept within +-120, so that what is exactly equal, or silent, gives a finite number.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

from saga_sr.audio.spectrum import HOP, N_FFT, bin_frequencies, stft
from saga_sr.evaluation.metrics import LIMIT_DB

# Of the cutoff, where the low band ends and the high one begins.
LOW, HIGH = 0.8, 1.1
# Short-time levels, and how far below the loudest they count.
LEVEL_S, LEVEL_RANGE_DB = 0.2, 40.0
# A high band this far below the low band is none: it is rounding.
NOTHING_DB = -90.0
# Finer in time than other spectra, so that chance makes little coherence even in a short clip.
COHERENCE_N_FFT = 512


@dataclass(frozen=True)
class Bands:
    """Where the low band ends and the high band begins."""

    cutoff_hz: float
    sample_rate: int

    def between(self, low: float, high: float, n_fft: int = N_FFT) -> Tensor:
        """Mask [bin] of the bins above `low` up to `high`, in cutoffs."""
        hz = bin_frequencies(self.sample_rate, n_fft=n_fft) / self.cutoff_hz
        return (hz > low) & (hz <= high)

    def low(self, spectrum: Tensor) -> Tensor:
        """The low band of a spectrogram [..., bin, frame]."""
        return spectrum[..., self.between(-1, LOW), :]

    def high(self, spectrum: Tensor) -> Tensor:
        """The high band of a spectrogram [..., bin, frame]."""
        return spectrum[..., self.between(HIGH, torch.inf), :]

    def high_to_low_db(self, audio: Tensor) -> float:
        """Energy of the high band over that of the low band, in dB, of audio [..., time]."""
        spectrum = inner_spectrum(audio)
        return ratio_db(energy(self.high(spectrum)), energy(self.low(spectrum)))


def inner_spectrum(audio: Tensor, n_fft: int = N_FFT) -> Tensor:
    """Spectrogram [..., bin, frame] in double precision, without the frames that reach beyond the ends.

    What is reflected there is no band-limited signal.
    """
    return stft(audio.double(), n_fft, n_fft // 4)[..., 2:-2]


def pan_db(spectrum: Tensor) -> float:
    """Level of the first channel over that of the second in dB, of a spectrogram [2, bin, frame]."""
    return ratio_db(energy(spectrum[0]), energy(spectrum[1]))


def high_correlation(spectrum: Tensor, bands: Bands) -> float:
    """Correlation of the high bands of two channels [2, bin, frame]; 0 where one of them has none."""
    left, right = bands.high(spectrum)
    energies = energy(left), energy(right)
    if min(energies) <= 10 ** (NOTHING_DB / 10) * energy(bands.low(spectrum)):
        return 0.0
    return float((left * right.conj()).real.sum()) / (energies[0] * energies[1]) ** 0.5


def coherence(audio: Tensor, band: Tensor) -> float:
    """Magnitude of the coherence of two channels [2, time], mean over the bins of `band` weighted by their energy.

    0 where one channel has nothing there.
    """
    left, right = inner_spectrum(audio, COHERENCE_N_FFT)[:, band]
    cross = (left * right.conj()).sum(dim=-1).abs()
    norm = (left.abs().square().sum(dim=-1) * right.abs().square().sum(dim=-1)).sqrt()
    return float(cross.sum() / norm.sum()) if norm.any() else 0.0


def low_band_error_db(output: Tensor, lr: Tensor, bands: Bands) -> float:
    """Error of the low band of `output` [time] against that of `lr`, in dB, in one spectrum with the ends faded out."""
    fade = torch.hann_window(len(lr), dtype=torch.float64).square()
    difference, expected = (
        torch.fft.rfft(x.double() * fade)[bands.between(-1, LOW, len(lr))] for x in (output - lr, lr)
    )
    return ratio_db(energy(difference), energy(expected))


def level_difference_db(output: Tensor, expected: Tensor, bands: Bands) -> float:
    """Largest difference in dB of short-time levels of the high band between two signals [time]."""
    power = torch.stack([bands.high(inner_spectrum(x)).abs().square().sum(dim=0) for x in (output, expected)])
    frames = min(round(LEVEL_S * bands.sample_rate / HOP), power.shape[-1])
    power = avg_pool1d(power, max(frames, 1), 1)
    heard = power[1] > 10 ** (-LEVEL_RANGE_DB / 10) * power[1].max()
    if not heard.any():
        return ratio_db(float(power[0].sum()), 0.0)
    return float((10 * (power[0, heard] / power[1, heard]).log10()).abs().max().clamp(max=LIMIT_DB))


def error_db(output: Tensor, expected: Tensor) -> float:
    """Energy of the difference of two signals over that of `expected`, in dB."""
    return ratio_db(energy(output.double() - expected.double()), energy(expected.double()))


def energy(values: Tensor) -> float:
    """Sum of the squares of a signal or spectrum."""
    return float(values.abs().square().sum())


def ratio_db(numerator: float, denominator: float) -> float:
    """Ratio of energies in dB, within +-120; nothing over nothing is -120."""
    limit = 10 ** (LIMIT_DB / 10)
    ratio = numerator / denominator if denominator > 0 else limit * (numerator > 0)
    return float(10 * torch.tensor(ratio, dtype=torch.float64).clamp(1 / limit, limit).log10())
