"""Crops degraded where they are made."""

from __future__ import annotations

from typing import Any

from torch.utils.data import Dataset

from saga_sr.audio.degradation import Degradation, Scheduled
from saga_sr.core.random_numbers import seeded


class DegradedCrops(Dataset[dict[str, Any]]):
    """The items of `crops`, with `lr` and `cutoff_hz` beside `hr` where nothing degraded is there.

    Args:
        first_seed: item `i` is degraded by draws from the seed `first_seed + i`.
    """

    def __init__(self, crops: Dataset[dict[str, Any]], degradation: Degradation, first_seed: int) -> None:
        self.crops = crops
        self.degradation = degradation
        self.first_seed = first_seed

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = self.crops[index]
        if "hr" not in item or "lr" in item:
            return item
        # A schedule is one of training's items, which are those that come by here.
        degradation = (
            self.degradation.at(item["index"]) if isinstance(self.degradation, Scheduled) else self.degradation
        )
        degraded = degradation(item["hr"][None], seeded([self.first_seed + item["index"]]))
        return item | {"lr": degraded.lr[0], "cutoff_hz": degraded.cutoff_hz[0]}
