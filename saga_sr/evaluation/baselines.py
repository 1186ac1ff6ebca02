"""What a model has to beat: leaving the input as it is, and classical spectral band replication."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

from saga_sr.audio.low_band import replace_low_band
from saga_sr.audio.spectrum import HOP, N_FFT, istft, stft

# Constants of the replication, chosen by hand.
BANDS = 12  # that a frame's tilt is fitted to, over the two octaves below the cutoff
SMOOTH_FRAMES = 5
WHITEN_BINS = 17
PRIOR_SLOPE = -0.9  # log10 power per octave, towards which a frame's own slope is drawn
PRIOR_WEIGHT = 0.5
STEEPEST = -3.0


def unchanged(lr: Tensor, cutoff_hz: Tensor, sample_rate: int) -> Tensor:
    """The `input` baseline: `lr` [b, c, time] itself."""
    return lr


def band_replication(lr: Tensor, cutoff_hz: Tensor, sample_rate: int) -> Tensor:
    """Spectral band replication without side information.

    The octave below the cutoff is copied up in whole patches (with the phase advance of their shift), flattened by its
    own envelope, and given the level and tilt that a regression over the two octaves below the cutoff extrapolates for
    each frame. Slopes never rise, and levels stay above the quietest the recording has below the cutoff.

    Args:
        lr: [b, c, time].
        cutoff_hz: [b].

    Returns:
        [b, c, time], with the low band of `lr`.

    Source: Dietz et al., "Spectral Band Replication, a Novel Approach in Audio Coding" (2002), with extrapolation in
    place of transmitted envelopes.
    """
    spectrum = stft(lr)
    filled = [_fill(clip, float(edge) * N_FFT / sample_rate) for clip, edge in zip(spectrum, cutoff_hz, strict=True)]
    output = istft(torch.stack(filled), lr.shape[-1])
    return replace_low_band(output, lr, cutoff_hz, sample_rate, "crossfade")


def _fill(spectrum: Tensor, cutoff: float) -> Tensor:
    """`spectrum` [c, bin, frame] with the bins above `cutoff` (in bins) filled in."""
    bins, frames = spectrum.shape[-2:]
    top = int(0.94 * cutoff)
    first = top // 2
    if first < WHITEN_BINS or cutoff >= bins - 1:
        return spectrum
    target = torch.arange(top, bins, device=spectrum.device)
    shift = (target - first) // (top - first) * (top - first)
    source = spectrum[:, first:top]
    envelope = avg_pool1d(_flat(source.abs().square()).transpose(1, 2), WHITEN_BINS, 1, WHITEN_BINS // 2, False, False)
    white = source / envelope.transpose(1, 2).reshape(source.shape).clamp(min=1e-16).sqrt()
    # Moving a bin by `shift` adds that many cycles per N_FFT samples to its phase from frame to frame.
    frame = torch.arange(frames, device=spectrum.device)
    turn = torch.polar(torch.ones(()), 2 * math.pi / N_FFT * ((shift[:, None] * frame * HOP) % N_FFT).float())
    level = _extrapolated(spectrum.abs().square(), top, target)
    filled = spectrum.clone()
    filled[:, top:] = white[:, target - shift - first] * turn * level.sqrt()
    return filled


def _extrapolated(power: Tensor, top: int, target: Tensor) -> Tensor:
    """Power [c, target, frame] that the bands below `top` promise for the bins `target`."""
    edges = torch.logspace(math.log2(top / 4), math.log2(top), BANDS + 1, base=2).round().long().tolist()
    bands = torch.stack([power[:, a : max(b, a + 1)].mean(dim=1) for a, b in pairwise(edges)], 1)
    level = torch.log10(avg_pool1d(_flat(bands), SMOOTH_FRAMES, 1, SMOOTH_FRAMES // 2, False, False) + 1e-12)
    level = level.reshape(bands.shape)
    x = torch.linspace(-2 + 1 / BANDS, -1 / BANDS, BANDS, device=power.device)[:, None]  # octaves re `top`
    centred = x - x.mean()
    slope = (centred * level).sum(dim=1, keepdim=True) / centred.square().sum()
    slope = ((1 - PRIOR_WEIGHT) * slope + PRIOR_WEIGHT * PRIOR_SLOPE).clamp(STEEPEST, 0)
    near = level[:, -BANDS // 4 :]
    anchor = near.mean(dim=1, keepdim=True) - slope * x[-BANDS // 4 :].mean()
    floor = near.mean(dim=1, keepdim=True).quantile(0.05, dim=-1, keepdim=True) - 0.5
    octaves = torch.log2(target / top)[:, None]
    return 10 ** torch.maximum(anchor + slope * octaves, floor)


def _flat(values: Tensor) -> Tensor:
    return values.reshape(-1, *values.shape[-2:])
