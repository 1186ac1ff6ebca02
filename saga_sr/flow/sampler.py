"""Sampling: carry a start at t = 0 to data at t = 1 along a velocity field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from saga_sr.core.errors import ConfigError
from saga_sr.flow.diffusion import ddim_times
from saga_sr.flow.grids import between
from saga_sr.flow.prior import PURE_NOISE, Start
from saga_sr.flow.solvers import EFFORTS, STEPS, DdimStep, Moments, Step, Velocity

NOISES = ("gaussian", "rademacher", "replicated")


class Sampler:
    """A solver with its time grid t_i = (i / steps) ** power, and the kind of noise that it starts from.

    Args:
        solver: `euler`, `midpoint`, `heun`, `adams_bashforth`, `dpmpp_2m`, `gaussian` or `ddim`; `midpoint` and `heun`
            evaluate the network twice a step, `gaussian` keeps the energy at any number of steps where the network
            states its variance. `ddim` is Euler's at the times of a diffusion's steps, whatever power and grid.
        steps: number of steps, at least 1.
        power: 1 is the uniform grid; above 1 steps are finer near the noise, below 1 near the data.
        grid: times from 0 to 1 that steps follow instead, such as `grids.fitted` finds for a model; for another number
            of steps it is read in between.
        noise: `gaussian` starts from the noise as it is drawn, `rademacher` from its signs. Both have unit variance,
            but signs leave every coefficient that is noise of known level at exactly this level, where Gaussian sizes
            scatter by 10 dB around it, and by 20 dB once a codec has expanded its latents by squaring. `replicated`
            starts from the low band copied up (see `MDCT.replicated`), which whoever calls the sampler gives for noise.
        eta: of `ddim`, 0 to 1: how much of the noise each step draws anew, see `DdimStep`.
        distilled: these steps, from this noise, are all that the network knows (see `distillation.py`).

    Raises:
        ConfigError: an unknown solver or noise, a step count, power or grid that makes no times, or an `eta` that there
            is not.
    """

    def __init__(
        self,
        solver: str = "euler",
        steps: int = 50,
        power: float = 1.0,
        grid: Sequence[float] | None = None,
        noise: str = "gaussian",
        distilled: bool = False,
        eta: float = 0.0,
    ) -> None:
        if solver not in STEPS:
            raise ConfigError(f"sampler.solver={solver!r} is not known; choose one of {', '.join(STEPS)}.")
        if steps < 1 or power <= 0:
            raise ConfigError(
                f"sampler.steps={steps} with sampler.power={power} makes no time grid; "
                "use at least 1 step and a power above 0."
            )
        if grid is not None and (len(grid) < 2 or [*grid] != sorted({0.0, *grid, 1.0})):
            raise ConfigError(f"sampler.grid={[*grid]} is no time grid; give times that rise from 0.0 to 1.0.")
        if noise not in NOISES:
            raise ConfigError(f"sampler.noise={noise!r} is not known; choose one of {', '.join(NOISES)}.")
        if not 0 <= eta <= (1 if solver == "ddim" else 0):
            raise ConfigError(
                f"sampler.eta={eta} with solver={solver} is not known; give 0 to 1 with solver=ddim, or leave it out."
            )
        self.solver = solver
        self.steps = steps
        self.power = power
        self.grid = None if grid is None else [float(time) for time in grid]
        self.noise = noise
        self.distilled = distilled
        self.eta = eta

    def changed(
        self,
        solver: str | None = None,
        steps: int | None = None,
        power: float | None = None,
        grid: Sequence[float] | None = None,
        noise: str | None = None,
        eta: float | None = None,
        effort: str | None = None,
    ) -> Sampler:
        """This sampler with what is not None; another solver than `ddim` has no `eta` of its own.

        Args:
            effort: `fast`, `balanced` or `best`, where no `steps` are given: as many as the solver needs for that, or
                all that a distilled network knows.

        Raises:
            ConfigError: an unknown effort, or another way than a distilled network knows; see the class.
        """
        other = Sampler(
            solver=self.solver if solver is None else solver,
            steps=self.steps if steps is None else steps,
            power=self.power if power is None else power,
            grid=self.grid if grid is None else grid,
            noise=self.noise if noise is None else noise,
            distilled=self.distilled,
            eta=(self.eta if solver in (None, "ddim") else 0.0) if eta is None else eta,
        )
        if self.distilled and vars(other) != vars(self):
            raise ConfigError(
                f"This model was distilled into sampler.steps={self.steps} of solver={self.solver} from "
                f"noise={self.noise} and knows no other way; leave these, sampler.power and sampler.grid out."
            )
        if effort is not None:
            known = EFFORTS[other.solver]
            if effort not in known:
                raise ConfigError(f"sampler.effort={effort!r} is not known; choose one of {', '.join(known)}.")
            other.steps = known[effort] if steps is None and not self.distilled else other.steps
        return other

    def times(self, device: torch.device | None = None) -> Tensor:
        """The grid, [steps + 1] from 0 to 1, or nearly so where it is a diffusion's."""
        if self.solver == "ddim":
            return ddim_times(self.steps, device)
        uniform = torch.linspace(0, 1, self.steps + 1, device=device) ** self.power
        return uniform if self.grid is None else between(self.grid, uniform)

    def __call__(
        self,
        velocity: Velocity | Moments,
        noise: Tensor,
        times: Tensor | None = None,
        start: Start = PURE_NOISE,
        draw: Callable[[], Tensor] | None = None,
    ) -> Tensor:
        """Integrate from normal `noise` [b, ...] over `times`, 0 to 1 (the sampler's own grid if left out).

        Args:
            start: what the noise is that of; pure noise if left out.
            draw: more normal noise like that, anew at each call; from PyTorch's own generator where left out.
        """
        times = self.times(noise.device) if times is None else times
        # A diffusion takes its first step's point for noise, and its last one's for data, at the length that it has.
        begin, end = ((t**2 + (1 - t) ** 2).sqrt() for t in (times[0], times[-1]))
        drawn = draw or (lambda: torch.randn_like(noise))
        return start.at(self.follow(start.in_units(velocity), begin * self.kind_of(noise), times, drawn) / end)

    def kind_of(self, noise: Tensor) -> Tensor:
        """What is started from, of normal `noise`."""
        return 1 - 2 * (noise < 0).to(noise.dtype) if self.noise == "rademacher" else noise

    def follow(
        self, velocity: Velocity | Moments, y: Tensor, times: Tensor, draw: Callable[[], Tensor] | None = None
    ) -> Tensor:
        """`y` [b, ...], in units of the noise, carried from the first of the `times` to the last, step by step.

        Args:
            draw: see `__call__`; without it no step draws noise.
        """
        step: Step = DdimStep(self.eta, draw) if self.eta and draw is not None else STEPS[self.solver]()
        for t, t_next in pairwise(times):
            y = step(velocity, y, t, t_next - t)
        return y
