"""Convergence on a flow whose exact solution is known.

For data z ~ N(m, s^2) and standard normal noise, the marginal velocity of the straight path is

    v(z, t) = m + (s^2 t - (1 - t)) (z - t m) / (s^2 t^2 + (1 - t)^2),

and the flow map from t = 0 to 1 sends noise e to m + s e.
"""

from __future__ import annotations

import math

import pytest
import torch

from saga_sr.errors import ConfigError
from saga_sr.flow.sampler import Sampler

MEAN, STD = 0.7, 0.4


def exact_velocity(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    t = t[:, None]
    return MEAN + (STD**2 * t - (1 - t)) * (z - t * MEAN) / (STD**2 * t**2 + (1 - t) ** 2)


def error(solver: str, steps: int, power: float = 1.0) -> float:
    noise = torch.linspace(-2, 2, 33, dtype=torch.float64)[:, None]
    sampler = Sampler(solver, steps, power)
    end = sampler(exact_velocity, noise, sampler.times().double())
    return float((end - (MEAN + STD * noise)).abs().max())


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2)])
@pytest.mark.parametrize("power", [1.0, 1.5])
def test_measured_order_of_convergence(solver: str, order: int, power: float) -> None:
    slopes = [math.log2(error(solver, n, power) / error(solver, 2 * n, power)) for n in (64, 128, 256)]
    assert slopes[-1] == pytest.approx(order, abs=0.12)


def test_any_increasing_grid_reaches_the_solution() -> None:
    noise = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    times = torch.cat([torch.zeros(1), torch.rand(400, generator=torch.Generator().manual_seed(0)).sort()[0], torch.ones(1)])
    end = Sampler("midpoint")(exact_velocity, noise, times.double())
    assert torch.allclose(end, MEAN + STD * noise, atol=1e-3)


def test_data_prediction_never_divides_by_zero() -> None:
    """With x-prediction, v = (x - z) / (1 - t): every solver must stay away from t = 1."""

    def velocity(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        assert bool((t < 1).all())
        return (3.0 - z) / (1 - t[:, None])

    for solver in ("euler", "midpoint", "heun"):
        assert torch.allclose(Sampler(solver, 5)(velocity, torch.randn(4, 1)), torch.tensor(3.0), atol=1e-4)


@pytest.mark.parametrize("settings", [{"solver": "rk45"}, {"steps": 0}, {"power": 0.0}])
def test_impossible_settings_are_refused(settings: dict) -> None:
    with pytest.raises(ConfigError):
        Sampler(**settings)
