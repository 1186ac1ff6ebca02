from __future__ import annotations

import pytest
import torch

from saga_sr.flow.objective import FlowMatching
from saga_sr.losses.mse import VelocityMSE


def test_a_prediction_of_zero_velocity_costs_the_variance_of_the_velocity() -> None:
    """For unit-variance data and noise, E |z - noise|^2 = 2."""
    objective = FlowMatching("velocity")
    z = torch.randn(64, 8, 100, generator=torch.Generator().manual_seed(0))
    example = objective.corrupt(z, torch.Generator().manual_seed(1))
    terms = VelocityMSE()(objective.estimate(torch.zeros_like(z), example, z))
    assert set(terms) == {"mse"} and float(terms["mse"]) == pytest.approx(2, rel=0.02)
