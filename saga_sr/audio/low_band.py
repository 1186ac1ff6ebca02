"""Low-band replacement: what the input has is taken from the input, only the rest from the output."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from saga_sr.audio.spectrum import bin_frequencies, istft, stft
from saga_sr.core.errors import ConfigError

MODES = ("crossfade", "hard", "energy_matched", "off")


def checked_mode(mode: object) -> str:
    """`mode`, if it is one of `replace_low_band`'s.

    Raises:
        ConfigError: it is not.
    """
    name = "off" if mode is False else str(mode)  # what YAML makes of a bare off
    if name not in MODES:
        raise ConfigError(f"low_band={name!r} is not known; choose one of {', '.join(MODES)}.")
    return name


def replace_low_band(
    output: Tensor, lr: Tensor, cutoff_hz: Tensor, sample_rate: int, mode: str = "crossfade"
) -> Tensor:
    """Put the low band of `lr` in place of that of `output`, in the 2048/512 Hann spectrogram.

    Modes: `crossfade` goes over along a cosine from 0.9 to 1.1 x cutoff; `hard` switches at the cutoff, which leaves a
    bright line in the spectrogram; `energy_matched` switches hard too, with the output's high band scaled (0.8 to 1.2)
    so that both have the same energy in the fifth of the band below the cutoff; `off` returns `output`.

    Args:
        output, lr: [b, c, time].
        cutoff_hz: [b]; above Nyquist / 1.1 the whole example is the input's.

    Raises:
        ConfigError: an unknown mode.

    Source: SAGA-SR (arXiv 2509.24924) and its code; the cross-fade is the ablation plan's step 2'.
    """
    if checked_mode(mode) == "off":
        return output
    edge = cutoff_hz.to(output).clamp(min=1)[:, None, None, None]
    # Where the cross-fade would reach past Nyquist there is no band to fill: all of it is the input's.
    edge = torch.where(1.1 * edge > sample_rate / 2, torch.inf, edge)
    hz = bin_frequencies(sample_rate, output.device).to(output.dtype)[:, None]
    if mode == "crossfade":
        high = 0.5 - 0.5 * torch.cos(math.pi * ((hz / edge - 0.9) / 0.2).clamp(0, 1))
    else:
        high = (hz > edge).to(output.dtype)
    if mode == "energy_matched":
        output = output * _seam_gain(output, lr, edge, hz)
    # lr + high x (output - lr): one transform, and nothing but lr where the weight is zero.
    return lr + istft(high * stft(output - lr), output.shape[-1])


def _seam_gain(output: Tensor, lr: Tensor, edge: Tensor, hz: Tensor) -> Tensor:
    """The gain [b, 1, 1] that levels `output` with `lr` in the band from 0.8 to 1 x cutoff."""
    seam = ((hz >= 0.8 * edge) & (hz <= edge)).to(output.dtype)
    energy_lr, energy = ((seam * stft(x).abs().square()).sum(dim=(1, 2, 3)) for x in (lr, output))
    return (energy_lr / energy.clamp(min=1e-12)).sqrt().clamp(0.8, 1.2)[:, None, None]
