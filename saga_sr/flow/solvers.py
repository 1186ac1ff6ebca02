"""Fixed-step ODE solvers: one step from t to t + h along a velocity field.

Each takes `velocity(z, t)` with `z` [b, ...] and `t` [b], and returns z at t + h. Orders: Euler 1, midpoint 2, Heun 2
(Hairer, Norsett & Wanner, "Solving Ordinary Differential Equations I", section II.1).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]
Step = Callable[[Velocity, Tensor, Tensor, Tensor], Tensor]


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


STEPS: dict[str, Step] = {"euler": euler_step, "midpoint": midpoint_step, "heun": heun_step}
