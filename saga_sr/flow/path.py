"""The straight path from its start z_0 (noise, see also `prior.py`) to data, and what a network may predict along it.

    z_t = (1 - t) z_0 + t z,    v = dz_t / dt = z - z_0

Source: Lipman et al., "Flow Matching for Generative Modeling" (2023), and Liu et al., "Flow Straight and Fast" (2023).
"""

from __future__ import annotations

from torch import Tensor


def expand_time(t: Tensor, like: Tensor) -> Tensor:
    """Shape `t` [b] so that it broadcasts against `like` [b, ...]."""
    return t.reshape(t.shape[0], *[1] * (like.ndim - 1))


def interpolate(z_0: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """The point z_t of the path; `z_0` and `z` are [b, ...], `t` is [b]."""
    t = expand_time(t, z)
    return (1 - t) * z_0 + t * z


def velocity_from_data(data: Tensor, z_t: Tensor, t: Tensor, min_noise: float = 1e-4) -> Tensor:
    """The velocity that carries `z_t` to the data estimate: (data - z_t) / (1 - t).

    Near t = 1 the quotient is 0/0; `min_noise` bounds the divisor from below.
    """
    return (data - z_t) / (1 - expand_time(t, z_t)).clamp(min=min_noise)


def data_from_velocity(velocity: Tensor, z_t: Tensor, t: Tensor) -> Tensor:
    """The data estimate at the end of the straight line: z_t + (1 - t) v."""
    return z_t + (1 - expand_time(t, z_t)) * velocity
