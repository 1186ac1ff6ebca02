"""How late one recording of a sound is against another."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from saga_sr.audio.spectrum import bandwidth_hz

LOWEST_HZ = 50.0
# Of the cross-spectrum's magnitude, in the search: 1 would be the phase transform, which listens to noise as much as to
# sound, and 0 plain correlation, whose peak is broad where sound is low.
WHITENING = 0.5


@dataclass(frozen=True)
class Delay:
    """`samples` that one recording comes later, and the correlation of both once that is undone, at most 1."""

    samples: int
    correlation: float


def measure_delay(late: Tensor, reference: Tensor, sample_rate: int, limit: int) -> Delay:
    """By how much `late` [time] lags behind `reference` [time], compared in the band that `late` has.

    Args:
        limit: the largest delay that is looked for, in samples to either side.

    Source: Knapp and Carter, "The generalized correlation method for estimation of time delay" (1976).
    """
    n = 2 * max(late.shape[-1], reference.shape[-1])
    ours, theirs = torch.fft.rfft(late.double(), n), torch.fft.rfft(reference.double(), n)
    hz = torch.arange(len(ours)) * (sample_rate / n)
    highest_hz = float(bandwidth_hz(late[None, None].float(), sample_rate)[0])
    band = (hz >= LOWEST_HZ) & (hz <= highest_hz)
    cross = band * ours * theirs.conj()
    lags = torch.arange(-limit, limit + 1)
    searched = torch.fft.irfft(cross / cross.abs().clamp(min=1e-20) ** WHITENING, n)
    delay = int(lags[searched[lags].argmax()])
    energy = [(band * spectrum.abs().square()).sum() * 2 / n for spectrum in (ours, theirs)]
    correlation = torch.fft.irfft(cross, n)[delay] / (energy[0] * energy[1]).sqrt().clamp(min=1e-20)
    return Delay(delay, float(correlation))
