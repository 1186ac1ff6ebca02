"""Sampling: carry noise at t = 0 to data at t = 1 along a velocity field."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from saga_sr.errors import ConfigError
from saga_sr.flow.solvers import STEPS, Velocity


class Sampler:
    """A solver with its time grid t_i = (i / steps) ** power.

    Args:
        solver: `euler`, `midpoint` or `heun`; the last two evaluate the network twice a step.
        steps: number of steps, at least 1.
        power: 1 is the uniform grid; above 1 steps are finer near the noise, below 1 near the data.

    Raises:
        ConfigError: an unknown solver, or a step count or power that makes no grid.
    """

    def __init__(self, solver: str = "euler", steps: int = 50, power: float = 1.0) -> None:
        if solver not in STEPS:
            raise ConfigError(f"sampler.solver={solver!r} is not known; choose one of {', '.join(STEPS)}.")
        if steps < 1 or power <= 0:
            raise ConfigError(
                f"sampler.steps={steps} with sampler.power={power} makes no time grid; "
                "use at least 1 step and a power above 0."
            )
        self.solver = solver
        self.steps = steps
        self.power = power

    def times(self, device: torch.device | None = None) -> Tensor:
        """The grid, [steps + 1] from 0 to 1."""
        return torch.linspace(0, 1, self.steps + 1, device=device) ** self.power

    def __call__(self, velocity: Velocity, noise: Tensor, times: Tensor | None = None) -> Tensor:
        """Integrate from `noise` [b, ...] over `times`, increasing from 0 to 1 (the sampler's own grid if left out)."""
        times = self.times(noise.device) if times is None else times
        z = noise
        for t, t_next in pairwise(times):
            z = STEPS[self.solver](velocity, z, t, t_next - t)
        return z
