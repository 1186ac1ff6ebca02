from __future__ import annotations

from typing import Any

import pytest
import torch

from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import seeded
from saga_sr.data.degraded import DegradedCrops
from saga_sr.degradations.curriculum import CutoffCurriculum

RATE = 44_100


class Noise:
    """Crops of white noise by number."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"hr": torch.randn(1, 8192, generator=torch.Generator().manual_seed(index)), "index": index}


def test_cutoffs_fall_as_training_goes_on_and_depend_on_the_items_number_alone() -> None:
    curriculum = CutoffCurriculum(RATE, (8000, 16_000), 1000, (2000, 4000), kinds=["bessel"], order=(3, 3))
    assert curriculum.on_cpu
    assert [curriculum.at(item).cutoff_hz for item in (0, 500, 1000, 9999)] == [
        (8000, 16_000), pytest.approx((4000, 8000)), pytest.approx((2000, 4000)), pytest.approx((2000, 4000)),
    ]  # fmt: skip
    crops = DegradedCrops(Noise(), curriculum, 7)  # type: ignore[arg-type]
    cutoffs = {item: float(crops[item]["cutoff_hz"]) for item in (*range(20), *range(2000, 2020))}
    assert min(cutoffs[item] for item in range(20)) > 7800 and max(cutoffs[i] for i in range(2000, 2020)) < 4001
    # Read alone, as a run that goes on does.
    again = DegradedCrops(Noise(), curriculum, 7)[500]  # type: ignore[arg-type]
    expected = curriculum.at(500)(again["hr"][None], seeded([507]))
    assert torch.equal(again["lr"], expected.lr[0]) and 3900 < float(again["cutoff_hz"]) < 8001
    # Validation hears the last range.
    assert float(curriculum(again["hr"][None], seeded([0])).cutoff_hz) <= 4000


def test_schedules_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigError, match="items=0 must be at least 1"):
        CutoffCurriculum(RATE, (8000, 16_000), 0)
    with pytest.raises(ConfigError, match="must rise"):
        CutoffCurriculum(RATE, (8000, 4000), 10)
