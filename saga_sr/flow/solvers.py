"""Fixed-step ODE solvers: one step from t to t + h along a velocity field.

Each takes `velocity(z, t)` with `z` [b, ...] and `t` [b], and returns z at t + h. Orders: Euler 1, midpoint 2, Heun 2
(Hairer, Norsett & Wanner, "Solving Ordinary Differential Equations I", section II.1), and the multistep ones, which
remember the evaluation of the step before and need no second one, 2.

Few steps leave the result short of its spread: one Euler step is the mean, without any. What is kept of it, in dB, of
Gaussian data N(mu, s^2) on paths from N(0, 1) by so many evaluations of the network (where paths start with noise of
another width, s is relative to that; `tests/flow/test_solvers.py`):

    evaluations     s = 0.1                 0.3                    1                      2
                    4     8     16          4     8    16          4    8     16          4     8    16
    Euler          -11.0 -5.4  -2.5        -4.6  -2.1 -1.1        -2.9 -1.4  -0.7        -3.3  -1.6 -0.8
    Heun           -20.0 -10.7 -4.5        -10.5 -3.0 -0.7        -2.5 -0.4  -0.1        -2.9  -0.5 -0.1
    midpoint        -6.7 -1.9  -0.2        -0.7  -0.1 -0.0        -0.2 -0.0  -0.0        -0.1  -0.0 -0.0
    Adams-Bashf.    -8.7 -3.5  -1.0        -2.3  -0.6 -0.1        -0.5 -0.1  -0.0        -0.8  -0.1 -0.0
    DPM-Solver++   -11.0 -5.1  -1.7        -4.2  -1.0 -0.0        -1.8 -0.1   0.0        -2.6  -0.5 -0.2

So without a variance that the network states, midpoint is the one to take where steps are few, on the uniform grid.
`gaussian_step`, where there is one, keeps the spread of Gaussian data at any number of steps. Noise that is drawn anew
for each step keeps less than Euler (-5.1 dB where he has -2.9): what a step takes for the data is a mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]


class Moments(Protocol):
    """A velocity field that says how uncertain it is of the data."""

    @property
    def moments(self) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]:
        """Of `z` [b, ...] and `t` [b]: the velocity, and Var[data | z] by coefficient, None where it is not known.

        The variance is in units of the noise that paths start with (see `Start`).
        """


def euler_step(velocity: Velocity, z: Tensor, t: Tensor, h: Tensor) -> Tensor:
    """Follow the velocity at the start of the step."""
    return z + h * velocity(z, t.expand(z.shape[0]))


def midpoint_step(velocity: Velocity, z: Tensor, t: Tensor, h: Tensor) -> Tensor:
    """Follow the velocity half-way through the step."""
    return z + h * velocity(euler_step(velocity, z, t, h / 2), (t + h / 2).expand(z.shape[0]))


def heun_step(velocity: Velocity, z: Tensor, t: Tensor, h: Tensor) -> Tensor:
    """Follow the mean of the velocities at both ends; a step that ends at t = 1 is an Euler step.

    At t = 1 a data prediction leaves the velocity 0/0. One first-order step keeps the whole of second order
    (Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", 2022, algorithm 1).
    """
    v = velocity(z, t.expand(z.shape[0]))
    ahead = z + h * v
    if t + h >= 1:
        return ahead
    return z + h / 2 * (v + velocity(ahead, (t + h).expand(z.shape[0])))


def gaussian_step(field: Moments, z: Tensor, t: Tensor, h: Tensor) -> Tensor:
    """The exact flow to s = t + h of Gaussian data N(mu, sigma^2) that has the mean x and variance V that are stated.

    There z_s = s mu + (S_s / S_t) (z - t mu) with S_t^2 = (t sigma)^2 + (1 - t)^2. With q = V / (1 - t)^2,
    k = (1 - s) / (1 - t) and mu, sigma eliminated, which loses no digits when sigma is large,

        z_s = s x + (z - t x) (k^2 + s^2 q) / (sqrt(k^2 + (s^2 - k^2 t^2) q) + s t q).

    Where the variance is 0, or not stated, it is the Euler step; for other data it is of the same order.
    Source: Chen et al., "Gaussian Mixture Flow Matching Models" (2025), section 3.3, with one component.
    """
    s = t + h
    v, variance = field.moments(z, t.expand(z.shape[0]))
    if variance is None:
        return z + h * v
    x = z + (1 - t) * v
    q, k = variance / (1 - t) ** 2, (1 - s) / (1 - t)
    spread = (k**2 + (s**2 - (k * t) ** 2) * q).sqrt() + s * t * q
    return s * x + (z - t * x) * (k**2 + s**2 * q) / spread.clamp(min=torch.finfo(spread.dtype).tiny)


class AdamsBashforth:
    """Steps along the line through the velocity and that of the step before; the first is an Euler step.

    Source: Hairer, Norsett & Wanner, section III.5 (grids that are not uniform), of order 2.
    """

    def __init__(self) -> None:
        self.before: tuple[Tensor, Tensor] | None = None

    def __call__(self, velocity: Velocity, z: Tensor, t: Tensor, h: Tensor) -> Tensor:
        v = velocity(z, t.expand(z.shape[0]))
        mean = v if self.before is None else v + h / (2 * (t - self.before[0])) * (v - self.before[1])
        self.before = t, v
        return z + h * mean


class DpmSolver:
    """Steps along which the predicted data is a line in lambda = log(t / (1 - t)), half the log of signal to noise.

    Where lambda is infinite, at both ends of the path, it is taken for constant, which is an Euler step.
    Source: Lu et al., "DPM-Solver++" (2022), algorithm 2 (2M), on the straight path.
    """

    def __init__(self) -> None:
        self.before: tuple[Tensor, Tensor] | None = None

    def __call__(self, velocity: Velocity, z: Tensor, t: Tensor, h: Tensor) -> Tensor:
        data = ahead = z + (1 - t) * velocity(z, t.expand(z.shape[0]))
        s = t + h
        if self.before is not None and self.before[0] > 0 and s < 1:
            lambdas = torch.stack([self.before[0], t, s]).logit()
            ahead = data + (lambdas[2] - lambdas[1]) / (2 * (lambdas[1] - lambdas[0])) * (data - self.before[1])
        self.before = t, data
        return z * (1 - s) / (1 - t) + ahead * h / (1 - t)


class DdimStep:
    """Steps of a diffusion that draw a share of the noise anew, so much as its authors call `eta`; 0 is Euler's step.

    With alpha = t / r and sigma = (1 - t) / r, r = |(t, 1 - t)|, where our path meets the diffusion's points, the share
    of what is at s = t + h is eta sqrt(1 - (alpha_t / alpha_s)^2) / sigma_t.
    Source: Song et al., "Denoising Diffusion Implicit Models" (2021), eq. 12 and 16.

    Args:
        eta: 0 to 1, at which a step is that of DDPM.
        draw: normal noise like z, anew at each call.
    """

    def __init__(self, eta: float, draw: Callable[[], Tensor]) -> None:
        self.eta, self.draw = eta, draw

    def __call__(self, velocity: Velocity, z: Tensor, t: Tensor, h: Tensor) -> Tensor:
        v, s = velocity(z, t.expand(z.shape[0])), t + h
        data, noise = z + (1 - t) * v, z - t * v
        # sigma^2, of which alpha^2 is the rest up to 1.
        before, after = ((1 - x) ** 2 / (x**2 + (1 - x) ** 2) for x in (t, s))
        share = self.eta**2 * (1 - after / before) / (1 - after)
        return s * data + (1 - s) * ((1 - share).clamp(min=0).sqrt() * noise + share.sqrt() * self.draw())


Step = Callable[[Any, Tensor, Tensor, Tensor], Tensor]
# What makes the steps of one path.
STEPS: dict[str, Callable[[], Step]] = {
    "euler": lambda: euler_step,
    # `DdimStep` without fresh noise; `Sampler` knows where its steps are.
    "ddim": lambda: euler_step,
    "midpoint": lambda: midpoint_step,
    "heun": lambda: heun_step,
    "gaussian": lambda: gaussian_step,
    "adams_bashforth": AdamsBashforth,
    "dpmpp_2m": DpmSolver,
}

# How many steps each needs by how much work is allowed. `gaussian_step` has the spread at once (experiments/energy);
# the others evaluate the network equally often.
EFFORTS: dict[str, dict[str, int]] = {
    "euler": {"fast": 4, "balanced": 16, "best": 32},
    "ddim": {"fast": 4, "balanced": 16, "best": 50},
    "midpoint": {"fast": 2, "balanced": 8, "best": 16},
    "heun": {"fast": 2, "balanced": 8, "best": 16},
    "adams_bashforth": {"fast": 4, "balanced": 16, "best": 32},
    "dpmpp_2m": {"fast": 4, "balanced": 16, "best": 32},
    "gaussian": {"fast": 1, "balanced": 4, "best": 16},
}
