"""Flow-matching training: what the network predicts, and the noisy examples it is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import Generators, normal
from saga_sr.flow.path import data_from_velocity, interpolate, velocity_from_data
from saga_sr.flow.time_sampling import logit_normal, uniform

PREDICTIONS = ("velocity", "data")
TIMES = ("uniform", "logit_normal")


@dataclass(frozen=True)
class NoisyExample:
    """A batch on the path: `z_hr`, `noise`, `z_t` are [b, c, frame], `t` is [b]."""

    z_hr: Tensor
    noise: Tensor
    z_t: Tensor
    t: Tensor


@dataclass(frozen=True)
class Estimate:
    """A prediction in both forms beside its targets, all [b, c, frame]: what a loss looks at.

    `z_lr` is the condition's latent, for losses that hold the estimate against it; `variance` is how uncertain the
    data estimate is, from networks that say so.
    """

    velocity: Tensor
    target_velocity: Tensor
    data: Tensor
    target_data: Tensor
    z_lr: Tensor
    variance: Tensor | None = None

    def within(self, known: Tensor) -> Estimate:
        """The same where the target is `known` (bool, [b, c, 1]); elsewhere what is wanted, so that no loss asks."""
        return replace(
            self,
            velocity=torch.where(known, self.velocity, self.target_velocity),
            data=torch.where(known, self.data, self.target_data),
            variance=None if self.variance is None else torch.where(known, self.variance, 1.0),
        )


class FlowMatching:
    """The objective: draws times and noise, and reads the network's output as velocity or as data.

    With `prediction="data"` (x-prediction) the velocity error is the data error over max(1 - t, `min_noise`), which
    keeps the weight of nearly clean examples finite (Li & He, "Back to Basics: Let Denoising Generative Models
    Denoise", 2025, section 3).

    Args:
        prediction: `velocity` or `data`.
        time: `uniform` or `logit_normal`.
        logit_mean, logit_std: of the logit-normal distribution.
        min_noise: smallest 1 - t that the data prediction is divided by in training.

    Raises:
        ConfigError: an unknown prediction or time distribution.
    """

    def __init__(
        self,
        prediction: str = "velocity",
        time: str = "logit_normal",
        logit_mean: float = 0.0,
        logit_std: float = 1.0,
        min_noise: float = 0.1,
    ) -> None:
        if prediction not in PREDICTIONS:
            raise ConfigError(
                f"objective.prediction={prediction!r} is not known; choose one of {', '.join(PREDICTIONS)}."
            )
        if time not in TIMES:
            raise ConfigError(f"objective.time={time!r} is not known; choose one of {', '.join(TIMES)}.")
        self.prediction = prediction
        self.min_noise = min_noise
        self.draw_times = uniform if time == "uniform" else logit_normal(logit_mean, logit_std)

    def corrupt(self, z_hr: Tensor, generators: Generators = None) -> NoisyExample:
        """Place each example of `z_hr` [b, c, frame] at a random time of its own."""
        t = self.draw_times(z_hr.shape[0], generators, z_hr.device)
        noise = normal(z_hr.shape, generators, z_hr.device)
        return NoisyExample(z_hr, noise, interpolate(noise, z_hr, t), t)

    def estimate(self, output: Tensor, example: NoisyExample, z_lr: Tensor, variance: Tensor | None = None) -> Estimate:
        """Read the network's `output` [b, c, frame] at `example` as velocity and as data."""
        z_t, t = example.z_t, example.t
        if self.prediction == "velocity":
            data = data_from_velocity(output, z_t, t)
            return Estimate(output, example.z_hr - example.noise, data, example.z_hr, z_lr, variance)
        velocity = velocity_from_data(output, z_t, t, self.min_noise)
        target = velocity_from_data(example.z_hr, z_t, t, self.min_noise)
        return Estimate(velocity, target, output, example.z_hr, z_lr, variance)

    def velocity(self, output: Tensor, z_t: Tensor, t: Tensor) -> Tensor:
        """The velocity that a sampler follows, from the network's `output` at (`z_t`, `t`)."""
        return output if self.prediction == "velocity" else velocity_from_data(output, z_t, t)
