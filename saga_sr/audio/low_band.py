"""Low-band replacement: what the input has is taken from the input, only the rest from the output."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from saga_sr.audio.spectrum import bin_frequencies, fast_length, istft, stft
from saga_sr.core.errors import ConfigError

ATTENUATION_DB = 110.0
# Samples of a transform that stays in the processor's cache.
BLOCK = 8192
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
    output: Tensor,
    lr: Tensor,
    cutoff_hz: Tensor,
    sample_rate: int,
    mode: str = "crossfade",
    knee_hz: Tensor | None = None,
) -> Tensor:
    """Put the low band of `lr` in place of that of `output`.

    Modes: `crossfade` goes over from 0.9 to 1.1 x cutoff by a pair of linear-phase filters whose sum is 1, so that what
    lies below is the input's to -100 dB, and sooner where the input falls off gently, so that what is dimmed there is
    the output's: down to 0.8 to 1 x cutoff, continuously in where the slope begins; `hard` switches at the cutoff in
    the 2048/512 Hann spectrogram, which leaves a bright line in it; `energy_matched` switches hard too, with the
    output's high band scaled (0.8 to 1.2) so that both have the same energy in the fifth of the band below the cutoff;
    `off` returns `output`.

    Args:
        output, lr: [b, c, time].
        cutoff_hz: [b]; above Nyquist / 1.1 the whole example is the input's.
        knee_hz: [b], where the input's slope begins; at the cutoff where left out.

    Raises:
        ConfigError: an unknown mode.

    Source: SAGA-SR (arXiv 2509.24924) and its code; the cross-fade is the ablation plan's step 2'.
    """
    if checked_mode(mode) == "off":
        return output
    edge = cutoff_hz.to(output).clamp(min=1)[:, None, None, None]
    # Where the cross-fade would reach past Nyquist there is no band to fill: all of it is the input's.
    edge = torch.where(1.1 * edge > sample_rate / 2, torch.inf, edge)
    if mode == "crossfade":
        edges_hz = edge[:, 0, 0, 0]
        middles_hz = edges_hz if knee_hz is None else knee_hz.to(output).clamp(min=0.9 * edges_hz, max=edges_hz)
        high_band = _high_passed(output - lr, edges_hz.tolist(), middles_hz.tolist(), sample_rate)
        return torch.where(edge[..., 0].isinf(), lr, lr + high_band)
    hz = bin_frequencies(sample_rate, output.device).to(output.dtype)[:, None]
    high = (hz > edge).to(output.dtype)
    if mode == "energy_matched":
        output = output * _seam_gain(output, lr, edge, hz)
    # lr + high x (output - lr): one transform, and nothing but lr where the weight is zero.
    return lr + istft(high * stft(output - lr), output.shape[-1])


def _high_passed(audio: Tensor, edges_hz: list[float], middles_hz: list[float], sample_rate: int) -> Tensor:
    """`audio` [b, c, time] without what lies 0.1 x its edge below its middle, whole as far above, without delay."""
    taps = [_low_pass(edge, middle, sample_rate) for edge, middle in zip(edges_hz, middles_hz, strict=True)]
    reach = max(len(t) for t in taps) // 2
    kernels = torch.stack([pad(t, (reach - len(t) // 2,) * 2) for t in taps]).to(audio)
    return audio - _filtered(audio, kernels)


def _filtered(audio: Tensor, kernels: Tensor) -> Tensor:
    """`audio` [b, c, time] under `kernels` [b, odd], block by block, since one long transform takes ten times as long.

    Source: the overlap-save method (Oppenheim & Schafer, section 8.7.3).
    """
    length, reach = audio.shape[-1], kernels.shape[1] // 2
    size = fast_length(min(max(BLOCK, 8 * reach), length + 2 * reach))
    step = size - 2 * reach
    blocks = pad(audio, (reach, reach + -length % step)).unfold(-1, size, step)
    spectrum = torch.fft.rfft(blocks) * torch.fft.rfft(kernels, size)[:, None, None]
    return torch.fft.irfft(spectrum, size)[..., 2 * reach :].flatten(-2)[..., :length]


@functools.lru_cache(maxsize=64)
def _low_pass(edge_hz: float, middle_hz: float, sample_rate: int) -> Tensor:
    """The taps [odd] of a linear-phase low-pass that falls over 0.2 x `edge_hz` about its middle; of inf, 1."""
    if math.isinf(edge_hz):
        return torch.ones(1)
    # Kaiser's formulas (Oppenheim & Schafer, "Discrete-Time Signal Processing", section 7.5.3).
    width = 2 * math.pi * 0.2 * edge_hz / sample_rate
    reach = math.ceil((ATTENUATION_DB - 8) / (2.285 * width) / 2)
    beta = 0.1102 * (ATTENUATION_DB - 8.7)
    window = torch.kaiser_window(2 * reach + 1, periodic=False, beta=beta, dtype=torch.float64)
    time = torch.arange(-reach, reach + 1, dtype=torch.float64)
    taps = window * torch.sinc(2 * middle_hz / sample_rate * time)
    return (taps / taps.sum()).float()


def _seam_gain(output: Tensor, lr: Tensor, edge: Tensor, hz: Tensor) -> Tensor:
    """The gain [b, 1, 1] that levels `output` with `lr` in the band from 0.8 to 1 x cutoff."""
    seam = ((hz >= 0.8 * edge) & (hz <= edge)).to(output.dtype)
    energy_lr, energy = ((seam * stft(x).abs().square()).sum(dim=(1, 2, 3)) for x in (lr, output))
    return (energy_lr / energy.clamp(min=1e-12)).sqrt().clamp(0.8, 1.2)[:, None, None]
