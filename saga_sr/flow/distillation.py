"""Distillation: a student held against its teacher: in its steps, or in the velocity at a point of the path.

A solver carries noise to data along a way that the noise decides. Each of the student's steps learns to go at once
where the teacher's steps go over the same stretch of time, beginning where the teacher is. Where it is the teacher's
guidance alone that is to be learned, the student's velocity learns to be the guided one, wherever training looks.

Source: Luhman & Luhman, "Knowledge Distillation in Iterative Generative Models for Improved Sampling Speed" (2021);
by stretches of time as Yan et al., "PeRFlow: Piecewise Rectified Flow as Universal Plug-and-Play Accelerator" (2024);
of guidance, Meng et al., "On Distillation of Guided Diffusion Models" (2023), section 3.1.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from saga_sr.core.errors import ConfigError
from saga_sr.flow.objective import Estimate, NoisyExample
from saga_sr.flow.path import data_from_velocity, expand_time
from saga_sr.flow.prior import Start
from saga_sr.flow.sampler import Sampler
from saga_sr.flow.solvers import Moments, Velocity


class StepDistillation:
    """The steps of the sampler `student` beside those of `teacher`.

    Raises:
        ConfigError: one of the student's does not end where one of the teacher's does.
    """

    def __init__(self, teacher: Sampler, student: Sampler) -> None:
        if teacher.steps % student.steps or teacher.power != student.power:
            raise ConfigError(
                f"distillation.teacher_steps={teacher.steps} must be a multiple of distillation.steps={student.steps}, "
                "so that each of the student's steps ends where one of the teacher's does."
            )
        self.teacher, self.student = teacher, student
        self.stride = teacher.steps // student.steps

    def estimate(
        self, teacher: Velocity | Moments, student: Velocity | Moments, noise: Tensor, z_lr: Tensor, start: Start
    ) -> Estimate:
        """Where each step of the `student` arrives beside where the `teacher` does, all [step * b, c, frame].

        The velocity is that of the straight way there from where the step begins, and the data where it would end.

        Args:
            teacher, student: velocity fields, of which gradients are taken of the student's.
            noise: normal, [b, c, frame].
            start: what it is the noise of.
        """
        times = self.teacher.times(noise.device)
        with torch.no_grad():
            points = [self.teacher.kind_of(noise)]
            for i in range(0, self.teacher.steps, self.stride):
                part = times[i : i + self.stride + 1]
                points.append(self.teacher.follow(start.in_units(teacher), points[-1], part))
        ways = []
        for (y, wanted), (t, end) in zip(pairwise(points), pairwise(times[:: self.stride]), strict=True):
            arrived = self.student.follow(start.in_units(student), y, torch.stack([t, end]))
            z = start.at(y)
            velocities = [(start.at(there) - z) / (end - t) for there in (arrived, wanted)]
            ways.append([*velocities, *(z + (1 - t) * velocity for velocity in velocities)])
        velocity, target, data, target_data = (torch.cat(values) for values in zip(*ways, strict=True))
        return Estimate(velocity, target, data, target_data, z_lr.repeat(self.student.steps, 1, 1))


@torch.no_grad()
def as_taught(example: NoisyExample, teacher: Velocity) -> NoisyExample:
    """`example` on the straight way that the velocity of the `teacher` points along there, from noise to data.

    What an objective wants of a network at this example is then what the teacher says.
    """
    velocity = teacher(example.z_t, example.t)
    z_0 = example.z_t - expand_time(example.t, velocity) * velocity
    return replace(example, z_0=z_0, z_hr=data_from_velocity(velocity, example.z_t, example.t))
