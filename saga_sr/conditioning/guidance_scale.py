"""How strongly guidance steers, as condition of a network that the guidance was distilled into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from saga_sr.conditioning.condition import Dims, TrainingPairs
from saga_sr.conditioning.numbers import NumbersCondition
from saga_sr.conditioning.types import ConditionRequest
from saga_sr.core.errors import ConfigError


class GuidanceScaleCondition(NumbersCondition):
    """The scales of a guidance, which the network is told and one branch goes by. Never dropped.

    Distillation draws them in training; in use they are those of a `DistilledGuidance`.

    Args:
        width: of an embedding.
        ranges: the lowest and the highest of each scale that was learned, by its name.

    Raises:
        ConfigError: no range, or one that does not rise.

    Source: Meng et al., "On Distillation of Guided Diffusion Models" (2023), section 3.1.
    """

    reads = frozenset({"guidance_scale"})

    def __init__(self, width: int, ranges: Mapping[str, Sequence[float]]) -> None:
        self.ranges = {name: tuple(float(bound) for bound in bounds) for name, bounds in ranges.items()}
        for name, bounds in self.ranges.items():
            if len(bounds) != 2 or bounds[0] >= bounds[1]:
                raise ConfigError(
                    f"distillation.scales.{name}={[*bounds]} is no range; give its lowest and its highest, like [1,3]."
                )
        self.numbers = tuple(self.ranges)
        super().__init__(width, attended=False)
        said = ", ".join(f"{name} from {low:g} to {high:g}" for name, (low, high) in self.ranges.items())
        self.meaning = f"scales of the guidance: {said}; 0 is the lowest and 1 the highest"

    @classmethod
    def dims_of(cls, settings: Mapping[str, Any]) -> Dims:
        return Dims(columns=len(settings["ranges"]) * settings["width"])

    def from_training(self, pairs: TrainingPairs) -> Tensor:
        """The lowest [b, scale], until they are drawn."""
        return torch.zeros(len(pairs.captions), len(self.ranges))

    def from_request(self, request: ConditionRequest) -> Tensor:
        """Those asked for, [b, scale]."""
        asked: Mapping[str, float] = request.wishes["guidance_scale"]
        shares = []
        for name, (low, high) in self.ranges.items():
            if not low <= asked[name] <= high:
                raise ConfigError(
                    f"guidance.{name}={asked[name]:g} is beyond what was distilled into this model; give {low:g} to "
                    f"{high:g}."
                )
            shares.append((asked[name] - low) / (high - low))
        return torch.tensor(shares).expand(len(request.prompts), len(shares))

    def scales(self, shares: Tensor) -> dict[str, Tensor]:
        """The scales, [b, 1, 1] each by its name, that are so large `shares` [b, scale] of their ranges."""
        bounds = zip(self.ranges.items(), shares.unbind(1), strict=True)
        return {name: (low + (high - low) * share)[:, None, None] for (name, (low, high)), share in bounds}
