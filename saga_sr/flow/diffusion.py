"""Diffusion with v-prediction on the cosine schedule, as points of the straight path.

A diffusion shows its network alpha x + sigma noise with alpha^2 + sigma^2 = 1 at one of `STEPS` steps, 0 being nearly
data. The same ray from the origin meets our path at t = alpha / (alpha + sigma), so that a step is a time, and a time,
between two steps, too, is a step.

Sources: Nichol & Dhariwal, "Improved Denoising Diffusion Probabilistic Models" (2021), section 3.2, with no limit on
beta; Salimans & Ho, "Progressive Distillation" (2022); Song et al., "Denoising Diffusion Implicit Models" (2021).
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from saga_sr.core import random_numbers
from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import Generators
from saga_sr.flow.objective import Estimate, FlowMatching, NoisyExample
from saga_sr.flow.path import expand_time

STEPS = 1000
OFFSET = 0.008
# The angle that stands for data, so that its cosine is alpha = 1.
FIRST_ANGLE = OFFSET / (1 + OFFSET) * math.pi / 2


def time_of(step: Tensor) -> Tensor:
    """Where the diffusion's `step`, 0 to `STEPS` - 1, is on our path, in float32."""
    # From the first angle on, and to the last, a right one: no difference of numbers that are nearly the same.
    turned, left = ((n * (math.pi / 2 / STEPS / (1 + OFFSET))) for n in (step.float() + 1, STEPS - 1 - step.float()))
    alpha = left.sin()
    # cos^2 of the first angle less cos^2 of this one.
    sigma = (turned.sin() * (turned + 2 * FIRST_ANGLE).sin()).clamp(min=0).sqrt()
    return alpha / (alpha + sigma)


def step_of(t: Tensor) -> Tensor:
    """The step, not a whole one as a rule, that the path's time `t` is; it is below 0 at the data itself."""
    radius = torch.hypot(t, 1 - t)
    cos, sin = math.cos(FIRST_ANGLE), math.sin(FIRST_ANGLE)
    angle = torch.atan2((sin**2 + (cos * (1 - t) / radius).square()).sqrt(), cos * t / radius)
    return (angle * (2 / math.pi) * (1 + OFFSET) - OFFSET) * STEPS - 1


def ddim_times(steps: int, device: torch.device | None = None) -> Tensor:
    """The times [steps + 1] of so many DDIM steps: every (1000 / `steps`)-th from the step 1 on, and 0 as the last."""
    first = torch.arange(steps - 1, -1, -1) * (STEPS // steps) + 1
    return time_of(torch.cat([first.clamp(max=STEPS - 1), torch.zeros(1)])).to(device)


class VDiffusion(FlowMatching):
    """The objective that AudioSR was trained by: each step equally often, and the squared error of v.

    v = alpha noise - sigma x is our velocity times r = |(t, 1 - t)|, but for its sign and what depends on z_t alone:
    the same network learns by this, by `FlowMatching` and by distillation.

    Args:
        prediction: `velocity`.
        prior: `noise`.

    Raises:
        ConfigError: another prediction or prior.
    """

    def __init__(self, prediction: str = "velocity", prior: str = "noise") -> None:
        super().__init__(prediction=prediction, prior=prior)
        wrong = [f"no prediction={prediction}"] if prediction != "velocity" else []
        wrong += [f"no prior={prior}"] if prior != "noise" else []
        if wrong:
            raise ConfigError(
                f"objective=v_diffusion has {' and '.join(wrong)}; leave that out, or choose objective=velocity or "
                "x_prediction."
            )
        self.draw_times = uniform_steps

    def estimate(self, output: Tensor, example: NoisyExample, z_lr: Tensor, variance: Tensor | None = None) -> Estimate:
        """See `FlowMatching`; velocities are scaled to errors of v."""
        estimate = super().estimate(output, example, z_lr, variance)
        r = expand_time(torch.hypot(example.t, 1 - example.t), output)
        return replace(estimate, velocity=r * estimate.velocity, target_velocity=r * estimate.target_velocity)


def uniform_steps(n: int, generators: Generators, device: torch.device) -> Tensor:
    """The times of `n` steps, each as likely; shape [n]."""
    return time_of((random_numbers.uniform([n], generators, device) * STEPS).floor())
