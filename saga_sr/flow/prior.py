"""Where paths start: at noise, or at what is known already with noise of a chosen width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

PRIORS = ("noise", "low_resolution")


@dataclass(frozen=True)
class Start:
    """What paths start from, N(mean, width^2); pure noise, N(0, 1), where these are left out.

    In units of the noise, y = (z - mean) / width, a path from such a start is one from pure noise to the data in these
    units: solvers, and what a head states of the variance, know no other.

    Attributes:
        mean: [b, c, frame].
        width: [b, c, 1], above 0.
    """

    mean: Tensor | None = None
    width: Tensor | None = None

    def at(self, y: Tensor) -> Tensor:
        """The point [b, c, frame] that is `y` in units of the noise."""
        return y if self.mean is None or self.width is None else torch.addcmul(self.mean, self.width, y)

    def in_units(self, field: Any) -> Any:
        """The velocity `field`, see `Sampler`, as one of points in units of the noise."""
        return field if self.width is None else _InUnits(self, self.width, field)


PURE_NOISE = Start()


@dataclass(frozen=True)
class _InUnits:
    start: Start
    width: Tensor
    field: Any

    def __call__(self, y: Tensor, t: Tensor) -> Tensor:
        return self.field(self.start.at(y), t) / self.width

    def moments(self, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor | None]:
        velocity, variance = self.field.moments(self.start.at(y), t)
        return velocity / self.width, variance
