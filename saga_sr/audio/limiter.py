"""A look-ahead limiter: peaks above full scale are turned down, smoothly and without distortion."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

STEP_S = 0.001
# In steps: how long before a peak its gain begins to fall, how long it stays, so that it is steady for tones from 10 Hz
# on, and how long it takes to come back.
ATTACK, HOLD, RELEASE = 10, 60, 200
LOOK_AHEAD_S = (ATTACK + 2) * STEP_S


class Limiter:
    """Limits a signal that comes block by block, all channels by one gain, which is 1 where no peak is near.

    What comes out does not depend on how the signal is cut, has the delay 0, and never exceeds full scale.

    Attributes:
        limited_s: how long the gain was below 1.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.step = max(1, round(STEP_S * sample_rate))
        self.limited_s = 0.0
        falling = torch.linspace(0, math.pi, RELEASE + 2, dtype=torch.float64)[1:-1].cos().add(1).div(2)
        # What is left of a peak's attenuation as many steps later, the oldest first as windows have them.
        self._release = torch.cat([torch.ones(HOLD + 1, dtype=torch.float64), falling]).flip(0)
        window = torch.hann_window(ATTACK + 3, periodic=False, dtype=torch.float64)[1:-1]
        self._smooth = window / window.sum()
        self._past = torch.zeros(ATTACK + len(self._release), dtype=torch.float64)
        self._waiting: Tensor | None = None

    def push(self, audio: Tensor, last: bool = False) -> Tensor:
        """Take the next samples [c, time] and give those that are final: all that are left after the `last`."""
        audio = audio if self._waiting is None else torch.cat([self._waiting, audio], dim=1)
        count = math.ceil(audio.shape[1] / self.step) if last else audio.shape[1] // self.step
        # The gain at the end of a step depends on as many steps after it.
        ready = count if last else max(count - ATTACK - 1, 0)
        steps = pad(audio, (0, max(count * self.step - audio.shape[1], 0)))[:, : count * self.step]
        peaks = steps.abs().amax(dim=0).unflatten(0, (count, self.step)).amax(dim=1) if count else steps.new_zeros(0)
        needed = torch.cat([self._past, peaks.double().clamp(min=1).log()])
        final = audio[:, : ready * self.step]
        gain = self._gain(needed, ready)[: final.shape[1]]
        self.limited_s += int((gain < 1).sum()) / self.sample_rate
        self._past = needed[ready : ready + len(self._past)]
        self._waiting = audio[:, ready * self.step :]
        # Rounding must not reach what the gain was made for.
        return torch.where(gain < 1, (final * gain).clamp(-1, 1), final).to(audio.dtype)

    def _gain(self, needed: Tensor, ready: int) -> Tensor:
        """The gain [time] of `ready` steps, of the attenuation (as logarithm) that each step and those around need."""
        windows = pad(needed, (0, ATTACK + 1)).unfold(0, len(self._release), 1)
        released = (windows * self._release).amax(dim=1)
        ahead = released.unfold(0, ATTACK + 1, 1).amax(dim=1)
        # At the begin of each step, and the end of the last.
        at = (ahead.unfold(0, ATTACK + 1, 1) @ self._smooth)[1 : ready + 2]
        part = torch.arange(self.step, dtype=torch.float64) / self.step
        attenuation = (at[:-1, None] + (at[1:] - at[:-1])[:, None] * part).flatten()
        return (-attenuation).exp()
