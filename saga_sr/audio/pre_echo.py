"""Quiet before attacks: a gain in time for a generated band, taken from the low band that it belongs to.

A codec that generates whole frames fills them: what sounds in the second half of a frame is heard in its first half,
too. The low band is not generated and knows better.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

# Over which the low band's level is taken.
WINDOW_S = 0.003
# How far below what is about to come, as an amplitude, the low band has to be for the generated band to be held back.
# The level of noise stays above, and that between the pulses of a voice mostly.
THRESHOLD = 0.2
# A cymbal rises from room tone by more decibels above 4 kHz than below: down to as far as the low band is below what
# comes, what was generated falls by so many decibels a decibel.
EXPANSION = 2
# Samples that are smoothed by one matrix product.
BLOCK = 64


def pre_echo_gain(low_band: Tensor, sample_rate: int, reach: int) -> Tensor:
    """Gain [c, time] of what was generated above `low_band` [c, time]: at most 1, and less before attacks alone.

    With e the level, M the greatest within `reach` samples ahead and x = e / M, the gain is 1 from x = 0.2 on, so that
    nothing is held back that is within 14 dB of what comes; below it is the greater of x and (x / 0.2)^2. The level is
    that of the difference of neighbouring samples, in which bass does not hide what is near the cutoff. A gain of the
    recording changes nothing.

    Source: temporal noise shaping transmits what is measured here (Herre & Johnston, "Enhancing the Performance of
    Perceptual Audio Coders by Using Temporal Noise Shaping", 1996).
    """
    half = round(WINDOW_S * sample_rate / 2)
    window = torch.hann_window(2 * half + 1, periodic=False).to(low_band)
    power = low_band.diff(dim=-1, prepend=low_band[:, :1]).square()
    level = smoothed(power, window / window.sum()).clamp(min=0).sqrt()
    ahead = greatest_ahead(level, reach)
    share = (level / ahead.clamp(min=torch.finfo(level.dtype).tiny)).where(ahead > 0, 1.0)
    return torch.maximum((share / THRESHOLD) ** EXPANSION, share).where(share < THRESHOLD, 1.0)


def smoothed(power: Tensor, window: Tensor) -> Tensor:
    """`power` [c, time] under a `window` [odd], by matrix products, an eighth of the time of `conv1d`."""
    half, length = len(window) // 2, power.shape[1]
    # Its column i is the window, moved down by i.
    shifted = pad(window, (BLOCK - 1, BLOCK - 1)).unfold(0, BLOCK, 1).flip(1)
    blocks = pad(power, (half, half + -length % BLOCK)).unfold(1, len(shifted), BLOCK)
    return (blocks @ shifted).flatten(1)[:, :length]


def greatest_ahead(level: Tensor, reach: int) -> Tensor:
    """The greatest of each sample of `level` [c, time], 0 or more, and the `reach` after it."""
    greatest, seen = pad(level, (0, reach)), 1
    while seen <= reach:
        step = min(seen, reach + 1 - seen)
        greatest = torch.maximum(greatest[:, :-step], greatest[:, step:])
        seen += step
    return greatest
