"""Flow-matching training: where paths start, what the network predicts, and the noisy examples it is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import Generators, normal
from saga_sr.flow.path import data_from_velocity, interpolate, velocity_from_data
from saga_sr.flow.prior import PRIORS, PURE_NOISE, Start
from saga_sr.flow.time_sampling import logit_normal, uniform

PREDICTIONS = ("velocity", "data")
TIMES = ("uniform", "logit_normal")


@dataclass(frozen=True)
class NoisyExample:
    """A batch on the path: `z_hr`, `z_0` (where it starts) and `z_t` are [b, c, frame], `t` is [b].

    `width` is that of the noise that it starts with, [b, c, 1]; None where that is pure.
    """

    z_hr: Tensor
    z_0: Tensor
    z_t: Tensor
    t: Tensor
    width: Tensor | None = None


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

    With `prior="low_resolution"` paths start at z_lr with noise of `prior_width`, and of `prior_width_above` where a
    channel tells of frequencies above the cutoff. What the input has need not be made of noise, so that the way is
    short (Yun et al., "FLowHigh", 2025, section 2.2; A2SB and AudioLBM start there, too). Latents have unit variance:
    a width of 1 forgets as much as pure noise does, one near 0 leaves nothing to draw, and the result is the mean.

    With `prediction="data"` (x-prediction) the velocity error is the data error over max(1 - t, `min_noise`), which
    keeps the weight of nearly clean examples finite (Li & He, "Back to Basics: Let Denoising Generative Models
    Denoise", 2025, section 3).

    Args:
        prediction: `velocity` or `data`.
        time: `uniform` or `logit_normal`.
        logit_mean, logit_std: of the logit-normal distribution.
        min_noise: smallest 1 - t that the data prediction is divided by in training.
        prior: `noise` or `low_resolution`.
        prior_width, prior_width_above: see above.

    Raises:
        ConfigError: an unknown prediction, time distribution or prior, or no width.
    """

    def __init__(
        self,
        prediction: str = "velocity",
        time: str = "logit_normal",
        logit_mean: float = 0.0,
        logit_std: float = 1.0,
        min_noise: float = 0.1,
        prior: str = "noise",
        prior_width: float = 0.3,
        prior_width_above: float = 1.0,
    ) -> None:
        if prediction not in PREDICTIONS:
            raise ConfigError(
                f"objective.prediction={prediction!r} is not known; choose one of {', '.join(PREDICTIONS)}."
            )
        if time not in TIMES:
            raise ConfigError(f"objective.time={time!r} is not known; choose one of {', '.join(TIMES)}.")
        if prior not in PRIORS:
            raise ConfigError(f"objective.prior={prior!r} is not known; choose one of {', '.join(PRIORS)}.")
        if min(prior_width, prior_width_above) <= 0:
            raise ConfigError(
                f"objective.prior_width={prior_width:g} and objective.prior_width_above={prior_width_above:g} must be "
                "above 0; give 1e-4 for hardly any noise."
            )
        self.prediction = prediction
        self.min_noise = min_noise
        self.prior = prior
        self.prior_width, self.prior_width_above = prior_width, prior_width_above
        self.draw_times = uniform if time == "uniform" else logit_normal(logit_mean, logit_std)

    def start(self, z_lr: Tensor, below: Tensor) -> Start:
        """What paths to clips of latent `z_lr` [b, c, frame] start from.

        Args:
            below: which channels tell of frequencies below the cutoff alone, bool [b, c, 1].
        """
        if self.prior == "noise":
            return PURE_NOISE
        return Start(z_lr, torch.where(below, self.prior_width, self.prior_width_above).to(z_lr))

    def corrupt(self, z_hr: Tensor, generators: Generators = None, start: Start = PURE_NOISE) -> NoisyExample:
        """Place each example of `z_hr` [b, c, frame] at a random time of its own, on a path from `start`."""
        t = self.draw_times(z_hr.shape[0], generators, z_hr.device)
        z_0 = start.at(normal(z_hr.shape, generators, z_hr.device))
        return NoisyExample(z_hr, z_0, interpolate(z_0, z_hr, t), t, start.width)

    def estimate(self, output: Tensor, example: NoisyExample, z_lr: Tensor, variance: Tensor | None = None) -> Estimate:
        """Read the network's `output` [b, c, frame] at `example` as velocity and as data.

        Args:
            variance: as the network states it, in units of the noise (see `Start`).
        """
        z_t, t = example.z_t, example.t
        variance = variance if variance is None or example.width is None else variance * example.width.square()
        if self.prediction == "velocity":
            data = data_from_velocity(output, z_t, t)
            return Estimate(output, example.z_hr - example.z_0, data, example.z_hr, z_lr, variance)
        velocity = velocity_from_data(output, z_t, t, self.min_noise)
        target = velocity_from_data(example.z_hr, z_t, t, self.min_noise)
        return Estimate(velocity, target, output, example.z_hr, z_lr, variance)

    def velocity(self, output: Tensor, z_t: Tensor, t: Tensor) -> Tensor:
        """The velocity that a sampler follows, from the network's `output` at (`z_t`, `t`)."""
        return output if self.prediction == "velocity" else velocity_from_data(output, z_t, t)
