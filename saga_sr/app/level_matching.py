"""How loud two recordings are to be played, so that neither is told from the other by its level."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

# Of the band that levels are measured in, in Hz; the upper one where no edge is known. As the player has it.
LOWEST_HZ, HIGHEST_HZ = 60.0, 4000.0
# Of the lowest edge: below it both have what the recording had.
SHARE = 0.8
FRAME = 8192
SILENCE = 1e-12


def matching_gains(
    first: Iterable[Tensor], second: Iterable[Tensor], sample_rate: int, edge_hz: float
) -> tuple[float, float]:
    """By what two recordings are multiplied to be as loud as each other, with no sample of either above full scale.

    Args:
        first, second: blocks [channel, time].
        edge_hz: the lowest at which the content of what they are made of ends; infinite where it nowhere does.
    """
    high_hz = SHARE * edge_hz if edge_hz < sample_rate / 2 else HIGHEST_HZ
    measured = [_power_and_peak(blocks, sample_rate, high_hz) for blocks in (first, second)]
    powers, peaks = zip(*measured, strict=True)
    least = min(powers)
    # Neither is turned up.
    gains = [(least / power) ** 0.5 if least > SILENCE else 1.0 for power in powers]
    loudest = max(gain * peak for gain, peak in zip(gains, peaks, strict=True))
    return gains[0] / max(loudest, 1.0), gains[1] / max(loudest, 1.0)


def _power_and_peak(blocks: Iterable[Tensor], sample_rate: int, high_hz: float) -> tuple[float, float]:
    """The power below `high_hz`, added up over frames, and the largest sample."""
    window = torch.hann_window(FRAME)
    low, high = round(LOWEST_HZ * FRAME / sample_rate), max(round(high_hz * FRAME / sample_rate), 2)
    power = peak = 0.0
    for block in blocks:
        peak = max(peak, float(block.abs().max()))
        whole = torch.nn.functional.pad(block, (0, -block.shape[1] % FRAME))
        spectrum = torch.fft.rfft(whole.unfold(1, FRAME, FRAME) * window)[..., low:high]
        power += float(spectrum.abs().square().sum())
    return power, peak
