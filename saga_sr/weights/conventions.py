"""Others' conventions of time, sign and prediction, re-expressed in ours; here and nowhere else.

Ours: t = 0 is noise, t = 1 is data, z_t = (1 - t) noise + t x, and the velocity is v = x - noise. A network in another
convention is called at the (z', t') that it knows, and its output is read as v:

- `rectified_flow`: t' = 1 is noise and the target noise - x. Same points, so z' = z_t, t' = 1 - t and v = -net.
- `v_prediction`: z' = cos(pi t'/2) x + sin(pi t'/2) noise, target cos noise - sin x. Our point lies on the same ray:
  with r = sqrt(t^2 + (1 - t)^2), z' = z_t / r has cos = t / r and sin = (1 - t) / r. There x = cos z' - sin net and
  noise = sin z' + cos net, exactly.
- `v_diffusion`: the same at the same point, but t' counts the 1,000 steps of AudioSR's schedule (`flow/diffusion.py`).

Sources: Salimans & Ho, "Progressive Distillation" (2022), appendix D; Stable Audio Open (Evans et al., 2024); AudioSR
(Liu et al., 2023).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from saga_sr.flow.diffusion import step_of
from saga_sr.flow.path import expand_time

CONVENTIONS = ("velocity", "rectified_flow", "v_prediction", "v_diffusion")
# Those whose points lie on a circle, and that predict the velocity along it.
ON_THE_CIRCLE = ("v_prediction", "v_diffusion")


def enter(z_t: Tensor, t: Tensor, convention: str) -> tuple[Tensor, Tensor]:
    """The point (z', t') of the foreign `convention` that is our (`z_t` [b, c, frame], `t` [b])."""
    if convention == "rectified_flow":
        return z_t, 1 - t
    if convention in ON_THE_CIRCLE:
        angle = torch.atan2(1 - t, t) * (2 / math.pi)
        return z_t / expand_time(torch.hypot(t, 1 - t), z_t), angle if convention == "v_prediction" else step_of(t)
    return z_t, t


def leave(output: Tensor, z_t: Tensor, t: Tensor, convention: str) -> Tensor:
    """Our velocity, of what a network of the foreign `convention` says at our (`z_t`, `t`)."""
    if convention == "rectified_flow":
        return -output
    if convention in ON_THE_CIRCLE:
        r = torch.hypot(t, 1 - t)
        cos, sin = expand_time(t / r, z_t), expand_time((1 - t) / r, z_t)
        z = z_t / expand_time(r, z_t)
        return (cos - sin) * z - (sin + cos) * output
    return output
