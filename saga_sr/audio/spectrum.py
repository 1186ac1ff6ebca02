"""Spectra, and where a recording's content ends. Audio is [..., time], frequencies are in Hz."""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn.functional import pad

from saga_sr.core.errors import ConfigError

N_FFT, HOP = 2048, 512
# Levels further than this below the loudest bin count as nothing.
FLOOR_DB = 110.0
# A fall of this much, from just below a frequency to everything above it, is the edge of a low-pass.
EDGE_DB = 15.0
# Share of the time that clicks may take.
CLICKS = 0.02
# No recording is cut lower; a bass drum alone is.
LOWEST_EDGE_HZ = 500.0
# What a roll-off can be the share of.
SPECTRA = ("magnitude", "power")


def stft(audio: Tensor, n_fft: int = N_FFT, hop: int = HOP) -> Tensor:
    """Hann spectrogram, centred: [..., time] -> complex [..., n_fft / 2 + 1, time // hop + 1]."""
    flat = audio.reshape(-1, audio.shape[-1])
    # Reflection needs more samples than it mirrors.
    mode = "reflect" if audio.shape[-1] > n_fft // 2 else "constant"
    window = torch.hann_window(n_fft, device=audio.device, dtype=audio.dtype)
    spectrum = torch.stft(flat, n_fft, hop, window=window, pad_mode=mode, return_complex=True)
    return spectrum.reshape(*audio.shape[:-1], *spectrum.shape[-2:])


def istft(spectrum: Tensor, length: int, n_fft: int = N_FFT, hop: int = HOP) -> Tensor:
    """Inverse of `stft`: complex [..., n_fft / 2 + 1, frame] -> [..., length]."""
    flat = spectrum.reshape(-1, *spectrum.shape[-2:])
    window = torch.hann_window(n_fft, device=spectrum.device, dtype=spectrum.real.dtype)
    audio = torch.istft(flat, n_fft, hop, window=window, length=length)
    return audio.reshape(*spectrum.shape[:-2], length)


def log_power(audio: Tensor) -> Tensor:
    """log10(|X|^2 + 1e-8) of the 2048/512 Hann spectrogram: [..., time] -> [..., bin, frame]."""
    return torch.log10(stft(audio).abs().square() + 1e-8)


def _power(spectrum: Tensor) -> Tensor:
    """|X|^2 of a complex spectrum, several times as fast as by `abs`, which guards against overflow."""
    return spectrum.real.square() + spectrum.imag.square()


def bin_frequencies(sample_rate: int, device: torch.device | None = None, n_fft: int = N_FFT) -> Tensor:
    """Centre frequency of each bin, [n_fft / 2 + 1]."""
    return torch.arange(n_fft // 2 + 1, device=device) * (sample_rate / n_fft)


def rolloff_hz(audio: Tensor, sample_rate: int, fraction: float = 0.985, spectrum: str = "magnitude") -> Tensor:
    """The frequency below which `fraction` of the clip's spectrum lies, one number a clip; 0 for silence.

    Args:
        audio: [b, c, time].
        spectrum: what is summed over time and channels, `magnitude` or `power`.

    Returns:
        [b].

    Raises:
        ConfigError: an unknown kind of spectrum.

    Source: SAGA-SR (arXiv 2509.24924); the paper says power, its code sums magnitudes.
    """
    if spectrum not in SPECTRA:
        raise ConfigError(f"rolloff spectrum={spectrum!r} is not known; choose {' or '.join(SPECTRA)}.")
    return _rolloff_hz(_power(stft(audio)), sample_rate, fraction, spectrum)


def rolloffs_hz(audio: Tensor, sample_rate: int, fraction: float = 0.985) -> Tensor:
    """`rolloff_hz` by each of `SPECTRA`: [b, c, time] -> [b, spectrum]."""
    power = _power(stft(audio))
    return torch.stack([_rolloff_hz(power, sample_rate, fraction, spectrum) for spectrum in SPECTRA], dim=1)


def _rolloff_hz(power: Tensor, sample_rate: int, fraction: float, spectrum: str) -> Tensor:
    # Summed from the top, where little lies, float32 tells one bin from the next; and not every device has more.
    from_here = (power if spectrum == "power" else power.sqrt()).sum(dim=(1, 3)).flip(-1).cumsum(dim=-1).flip(-1)
    beyond = pad(from_here[:, 1:], (0, 1))
    index = (beyond > (1 - fraction) * from_here[:, :1]).sum(dim=-1)
    return index * (sample_rate / N_FFT)


def bandwidth_hz(audio: Tensor, sample_rate: int) -> Tensor:
    """Where the clip's content ends: the edge of a low-pass, or Nyquist where there is none.

    The long-term spectrum in dB is searched for the highest cliff: a frequency whose surroundings below lie at least
    15 dB above everything beyond it. Recordings that fade into their noise floor without a cliff are full band.

    Args:
        audio: [b, c, time].

    Returns:
        [b]; Nyquist for silence.
    """
    # A long-term mean needs no overlapping frames.
    power = _power(stft(audio, hop=N_FFT)).mean(dim=1)
    # The loudest moments of each frequency are left out, so that a click does not make a band-limited recording look
    # full band.
    kept = max(1, int((1 - CLICKS) * power.shape[-1]))
    loudest = power.topk(power.shape[-1] - kept, dim=-1).indices
    # Not the difference of two sums, of which a click may be all there is to see.
    quieter = power.scatter_(-1, loudest, 0.0).sum(dim=-1)
    # A few numbers, whose means want float64, which not every device has.
    level = (quieter / kept).clamp(min=1e-30).log10().cpu().double() * 10
    level = torch.maximum(level, level.amax(dim=-1, keepdim=True) - FLOOR_DB)
    bins = level.shape[-1]
    k = torch.arange(bins)
    smooth = _mean_between(level, k - 3, k + 4)
    below = _mean_between(level, (k / 1.25).long(), (k / 1.04).long())
    beyond = smooth.flip(-1).cummax(dim=-1).values.flip(-1)
    above = beyond.gather(-1, (k * 1.04 + 4).long().clamp(max=bins - 1).expand_as(beyond))
    fall = (below - above).where(
        (k * (sample_rate / N_FFT) > LOWEST_EDGE_HZ) & (k * 1.04 + 8 < bins),
        -1.0,
    )
    drop, edge = fall.max(dim=-1)
    # Half-way down the cliff.
    threshold = (above.gather(-1, edge[:, None])[:, 0] + drop / 2)[:, None]
    last = (k * (smooth > threshold)).amax(dim=-1)
    last = torch.where(last > 0, last, edge)
    edge_hz = torch.where(drop >= EDGE_DB, last * (sample_rate / N_FFT), sample_rate / 2)
    return edge_hz.to(power)


def _mean_between(values: Tensor, first: Tensor, end: Tensor) -> Tensor:
    """Mean of `values` [b, bin] over bins `first` to `end` (excluded), for each bin."""
    bins = values.shape[-1]
    first, end = first.clamp(0, bins - 1), end.clamp(1, bins)
    end = torch.maximum(end, first + 1)
    total = pad(values.cumsum(dim=-1), (1, 0))
    return (total[:, end] - total[:, first]) / (end - first)


@functools.lru_cache(maxsize=64)
def fast_length(least: int) -> int:
    """The next even length that a Fourier transform is fast on: a product of 2, 3, 5, 7 and 11."""
    n = least + least % 2
    while True:
        rest = n
        for prime in (2, 3, 5, 7, 11):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 2
