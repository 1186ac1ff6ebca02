"""The frame in which a recording is restored: its principal axes, polarity and level, and the way back.

A recording that is louder, inverted, or has its channels swapped, panned or inverted against each other shall give the
result that is so, too. It does by construction if the network only sees recordings in a frame that turns with them:
f(g x) = g f(x) for gains g of either sign, and f(R x) = R f(x) for rotations R of the channels.

- **Axes**: the channels are rotated to the principal axes of their covariance. A source that stands alone, however it
  is panned, is one component, and comes back with its pan. Components are uncorrelated, so each has noise of its own.
- **Polarity**: each axis points to where the component's third moment is positive.
- **Level**: each component is divided by the root mean square of the half second before or after, whichever is quieter,
  so that quiet passages are restored as loud ones are, right to where these begin, and the result is multiplied by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv1d, interpolate, pad

# The root mean square that the network is shown, -20 dBFS: the middle of what it is trained on.
TARGET_RMS = 0.1
# Amplitude, relative to the recording's own: components, and passages, below it are not brought up any further.
FLOOR = 1e-4
# The same, what is below it is no sound at all.
SILENCE = 1e-8
# A recording whose own amplitude is below is none: squares and gains leave the range of float32.
NOTHING = 1e-18
# What makes an entry of an axis rounding, so that a channel without sound stays without.
ROUNDING = 1e-7
# The level's grid, and how many steps of it the level reaches to each side.
STEP_S, REACH_STEPS = 0.0125, 40
# Power, relative to that of the three steps around: the level is no lower, where a passage has a loud end.
PEAK = 10**-1.2


def level_step(sample_rate: int) -> int:
    """Samples between two points of the level's grid."""
    return round(STEP_S * sample_rate)


def level_context(sample_rate: int) -> int:
    """Samples on each side of a stretch that its level depends on, the way to a point of the grid included."""
    return (REACH_STEPS + 2) * level_step(sample_rate)


@dataclass(frozen=True)
class ReferenceFrame:
    """The frame of one recording.

    Attributes:
        axes: [component, channel], orthonormal rows, the component of most energy first.
        rms: of the recording, over all channels; 0 of one without sound.
        sample_rate: Hz.
    """

    axes: Tensor
    rms: float
    sample_rate: int

    @classmethod
    def of(cls, audio: Tensor, sample_rate: int) -> ReferenceFrame:
        """That of a recording of which `audio` [channel, time] is all, or excerpts."""
        x = audio.double()
        covariance = x @ x.T / x.shape[1]
        energies, vectors = torch.linalg.eigh(covariance)
        order = energies.argsort(descending=True)
        heard = energies[order] > FLOOR**2 * energies.max()
        heard[0] = True  # of silence, too
        axes = vectors.T[order][heard]
        axes = axes.where(axes.abs() > ROUNDING, 0.0)
        axes = axes * torch.where((axes @ x).pow(3).sum(dim=1) < 0, -1.0, 1.0)[:, None]
        rms = float(energies.sum().clamp(min=0).sqrt())
        return cls(axes.float(), rms if rms > NOTHING else 0.0, sample_rate)

    def components(self, audio: Tensor) -> Tensor:
        """[channel, time] as [component, time]."""
        return self.axes @ audio

    def channels(self, components: Tensor) -> Tensor:
        """[component, time] as [channel, time]."""
        return self.axes.T @ components

    def level(self, components: Tensor) -> Tensor:
        """The level at each sample of `components` [component, time]: their root mean square before or after it.

        The mean reaches half a second back and, apart from it, as far ahead; the lower of both is the level, so that it
        steps with what is heard, and does not let a loud passage hide the quiet one beside it.

        Points of the grid lie on multiples of `level_step` from the first sample on. What lies outside is not counted,
        so that `level_context` samples inside the ends the level is what it would be with more of the recording.
        """
        length, step = components.shape[1], level_step(self.sample_rate)
        blocks = pad(components.square(), (0, -length % step)).unflatten(1, (-1, step)).sum(dim=2)
        counts = blocks.new_full((1, blocks.shape[1]), float(step))
        counts[0, -1] = length - (blocks.shape[1] - 1) * step
        before = torch.hann_window(2 * REACH_STEPS + 3, periodic=False)[1 : REACH_STEPS + 2]
        around = torch.tensor([0.5, 1.0, 0.5])
        windows = [
            pad(before, (0, REACH_STEPS)),
            pad(before.flip(0), (REACH_STEPS, 0)),
            pad(around, (REACH_STEPS - 1,) * 2),
        ]
        kernels = torch.stack(windows)[:, None].to(blocks)
        energy, count = (conv1d(pad(x, (REACH_STEPS, REACH_STEPS))[:, None], kernels) for x in (blocks, counts))
        back, ahead, here = (energy / count).unbind(dim=1)
        # Near an end the other side speaks for what is missing.
        known = (count / (step * kernels.sum(dim=2))).unbind(dim=1)
        lower = torch.minimum(known[0] * back + (1 - known[0]) * ahead, known[1] * ahead + (1 - known[1]) * back)
        power = torch.maximum(lower, PEAK * here)
        nothing = max((SILENCE * self.rms) ** 2, torch.finfo(torch.float32).tiny)
        power = power.clamp(min=nothing)
        # Linearly in decibels, between the middles of blocks.
        fine = interpolate(power.log()[:, None], scale_factor=float(step), mode="linear", align_corners=False)
        fine = fine[:, 0, :length].exp()
        return fine.where(fine > 1.001 * nothing, 0.0).sqrt()

    def gain(self, level: Tensor) -> Tensor:
        """What brings components of this `level` to `TARGET_RMS`; of silence, 0."""
        floor = FLOOR * self.rms
        return TARGET_RMS / level.clamp(min=floor) if floor > 0 else torch.zeros_like(level)


def reference_gain(lr: Tensor, sample_rate: int) -> Tensor:
    """What brings clips `lr` to the level that the network is shown recordings at, both [b, c, time].

    Training shows it clips by this, their channels being components.
    """
    gains = []
    for clip in lr:
        frame = ReferenceFrame(torch.eye(len(clip)).to(clip), float(clip.square().sum(0).mean().sqrt()), sample_rate)
        gains.append(frame.gain(frame.level(clip)))
    return torch.stack(gains)
