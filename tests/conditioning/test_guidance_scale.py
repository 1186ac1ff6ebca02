from __future__ import annotations

import pytest
import torch

from saga_sr.conditioning.guidance_scale import GuidanceScaleCondition
from saga_sr.conditioning.types import ConditionRequest
from saga_sr.core.errors import ConfigError


def request(**scales: float) -> ConditionRequest:
    return ConditionRequest(torch.zeros(2, 1, 8), 8, torch.ones(2), ["", ""], wishes={"guidance_scale": scales})


def test_scales_are_shares_of_their_ranges_and_the_other_way_round() -> None:
    condition = GuidanceScaleCondition(8, {"acoustic": [1, 2], "text": [1.0, 5.0]})
    shares = condition.from_request(request(text=4.0, acoustic=1.25))
    assert torch.equal(shares, torch.tensor([[0.25, 0.75]] * 2))
    scales = condition.scales(shares)
    assert {name: value.flatten().tolist() for name, value in scales.items()} == {
        "acoustic": [1.25] * 2,
        "text": [4] * 2,
    }
    assert condition(shares).columns.shape == (2, condition.dims.columns) == (2, 16)


def test_what_was_not_learned_is_refused() -> None:
    condition = GuidanceScaleCondition(8, {"scale": [1, 3]})
    with pytest.raises(ConfigError, match=r"guidance\.scale=3\.5 is beyond what was distilled .*; give 1 to 3"):
        condition.from_request(request(scale=3.5))
