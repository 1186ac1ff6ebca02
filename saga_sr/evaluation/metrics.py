"""Metrics of restored audio against its reference: audio [b, c, time] in, one number a clip [b] out.

Spectra are 2048/512 Hann spectrograms. Several channels are measured apart and averaged. dB values are kept within
+-120 dB, so that identical or silent signals give finite numbers.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torchaudio.functional import melscale_fbanks

from saga_sr.audio.spectrum import N_FFT, bin_frequencies, log_power, stft

MELS = 128
LIMIT_DB = 120.0


def lsd(output: Tensor, reference: Tensor) -> Tensor:
    """Log-spectral distance: root of the mean over frequency of the squared difference in log10 power, mean over time.

    Source: Erell & Weintraub (1990); the floor 1e-8 on power as AudioSR's evaluation has it.
    """
    difference = (log_power(output) - log_power(reference)).square()
    return difference.mean(dim=-2).sqrt().mean(dim=(1, 2))


def lsd_band(output: Tensor, reference: Tensor, low_hz: Tensor, high_hz: Tensor, sample_rate: int) -> Tensor:
    """`lsd` over the bins above `low_hz` [b] up to `high_hz` [b] alone."""
    band = _band(low_hz, high_hz, sample_rate)
    difference = (log_power(output) - log_power(reference)).square() * band
    return (difference.sum(dim=-2) / band.sum(dim=-2).clamp(min=1)).sqrt().mean(dim=(1, 2))


def si_sdr(output: Tensor, reference: Tensor) -> Tensor:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al., "SDR - Half-baked or Well Done?", 2019)."""
    scale = (output * reference).sum(-1, keepdim=True) / reference.square().sum(-1, keepdim=True).clamp(min=1e-12)
    target = scale * reference
    return _ratio_db(target, output - target)


def snr(output: Tensor, reference: Tensor) -> Tensor:
    """Signal-to-noise ratio in dB."""
    return _ratio_db(reference, output - reference)


def correlation(output: Tensor, reference: Tensor) -> Tensor:
    """Pearson's correlation of the waveforms; 0 where one is constant."""
    x, y = (signal - signal.mean(-1, keepdim=True) for signal in (output.double(), reference.double()))
    norm = (x.square().sum(-1) * y.square().sum(-1)).sqrt()
    return ((x * y).sum(-1) / norm.clamp(min=1e-12)).mean(dim=1).float()


def rmse(output: Tensor, reference: Tensor) -> Tensor:
    """Root of the mean squared error."""
    return (output - reference).square().mean(-1).sqrt().mean(dim=1)


def mel_l1(output: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
    """Mean absolute difference of 128-band mel spectrograms in dB (power, floor 1e-8)."""
    return (_mel_db(output, sample_rate) - _mel_db(reference, sample_rate)).abs().mean(dim=(1, 2, 3))


def mel_l2(output: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
    """Root of the mean squared difference of 128-band mel spectrograms in dB (power, floor 1e-8)."""
    return (_mel_db(output, sample_rate) - _mel_db(reference, sample_rate)).square().mean(dim=(1, 2, 3)).sqrt()


def level_hf_db(output: Tensor, reference: Tensor, cutoff_hz: Tensor, sample_rate: int) -> Tensor:
    """Energy of the band above `cutoff_hz` [b], output over reference, in dB; 0 is right, negative too quiet."""
    band = _band(cutoff_hz, torch.full_like(cutoff_hz, sample_rate / 2), sample_rate)
    energies = [(stft(signal).abs().square() * band).sum(dim=(1, 2, 3)) for signal in (output, reference)]
    return _db(energies[0]) - _db(energies[1])


def measure(output: Tensor, reference: Tensor, cutoff_hz: Tensor, sample_rate: int) -> dict[str, Tensor]:
    """All metrics of a batch by name, [b] each; `cutoff_hz` [b] divides the low band from the high one."""
    nyquist = torch.full_like(cutoff_hz, sample_rate / 2)
    return {
        "lsd": lsd(output, reference),
        "lsd_hf": lsd_band(output, reference, cutoff_hz, nyquist, sample_rate),
        "lsd_lf": lsd_band(output, reference, torch.full_like(cutoff_hz, -1.0), cutoff_hz, sample_rate),
        "level_hf_db": level_hf_db(output, reference, cutoff_hz, sample_rate),
        "si_sdr": si_sdr(output, reference),
        "snr": snr(output, reference),
        "correlation": correlation(output, reference),
        "rmse": rmse(output, reference),
        "mel_l1": mel_l1(output, reference, sample_rate),
        "mel_l2": mel_l2(output, reference, sample_rate),
    }


def _band(low_hz: Tensor, high_hz: Tensor, sample_rate: int) -> Tensor:
    """Mask [b, 1, bin, 1] of the bins above `low_hz` up to `high_hz`."""
    hz = bin_frequencies(sample_rate, low_hz.device)
    return ((hz > low_hz[:, None]) & (hz <= high_hz[:, None])).float()[:, None, :, None]


def _db(power: Tensor) -> Tensor:
    return 10 * torch.log10(power.clamp(min=10 ** (-LIMIT_DB / 10)))


def _ratio_db(signal: Tensor, error: Tensor) -> Tensor:
    """Energy ratio over time in dB, mean over channels: [b, c, time] -> [b]."""
    ratio = signal.double().square().sum(-1) / error.double().square().sum(-1).clamp(min=1e-30)
    floor = 10 ** (-LIMIT_DB / 10)
    return (10 * torch.log10(ratio.clamp(min=floor, max=1 / floor))).mean(dim=1).float()


@lru_cache(maxsize=4)
def _mel_filters(sample_rate: int) -> Tensor:
    return melscale_fbanks(N_FFT // 2 + 1, 0.0, sample_rate / 2, MELS, sample_rate, norm="slaney", mel_scale="slaney").T


def _mel_db(audio: Tensor, sample_rate: int) -> Tensor:
    power = stft(audio).abs().square()
    return 10 * torch.log10(_mel_filters(sample_rate).to(audio.device) @ power + 1e-8)
