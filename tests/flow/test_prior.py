"""Paths from an informed start, on data whose exact flow is known.

Of data z ~ N(m + d, s^2), where m is known, a path from N(m, w^2) has at t the mean m + t d and the variance
S^2 = (1 - t)^2 w^2 + t^2 s^2. The optimal velocity is linear in z_t, and the flow takes m + w e to m + d + s e.
"""

from __future__ import annotations

import math

import pytest
import torch

from saga_sr.core.errors import ConfigError
from saga_sr.flow.objective import FlowMatching
from saga_sr.flow.prior import PURE_NOISE, Start
from saga_sr.flow.sampler import Sampler
from saga_sr.losses.gaussian_nll import GaussianNLL

DELTA, LEVEL = 0.4, 0.7
MEAN = torch.linspace(-2, 2, 9, dtype=torch.float64)[None, None]
NOISE = torch.randn(1, 1, 9, generator=torch.Generator().manual_seed(0)).double()


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Exact:
    """The optimal velocity and, in units of the noise, the data's variance."""

    def __init__(self, width: float, level: float = LEVEL) -> None:
        self.width, self.level = width, level
        self.start = Start(MEAN, torch.full((1, 1, 1), width, dtype=torch.float64))

    def __call__(self, z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return self.moments(z, t)[0]

    def moments(self, z: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        t = t[:, None, None]
        noise, data = ((1 - t) * self.width) ** 2, (t * self.level) ** 2
        residual = z - MEAN - t * DELTA
        velocity = DELTA + (t * self.level**2 - (1 - t) * self.width**2) / (noise + data) * residual
        variance = self.level**2 * (1 - t) ** 2 / (noise + data)
        return velocity, variance.expand_as(z)


@pytest.mark.parametrize("width", [1e-4, 0.3, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_gaussian_steps_reach_the_data_from_any_start_in_any_number(width: float, steps: int) -> None:
    for level in (0.01, 0.7, 10.0):
        field, sampler = Exact(width, level), Sampler("gaussian", steps)
        end = sampler(field, NOISE, sampler.times().double(), field.start)
        assert torch.allclose(end, MEAN + DELTA + level * NOISE, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2)])
def test_other_solvers_converge_to_it_with_their_order(solver: str, order: int) -> None:
    field = Exact(0.3)

    def error(steps: int) -> float:
        times = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        end = Sampler(solver, steps)(field, NOISE, times, field.start)
        return float((end - (MEAN + DELTA + LEVEL * NOISE)).abs().max())

    assert math.log2(error(256) / error(512)) == pytest.approx(order, abs=0.12)


@pytest.mark.parametrize("solver", ["euler", "heun", "midpoint"])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_what_few_steps_lose_of_the_spread_depends_on_its_width_relative_to_the_starts(solver: str, steps: int) -> None:
    kept = []
    for width, level in ((1.0, 0.7), (0.3, 0.21), (1e-3, 0.7e-3)):
        field, sampler = Exact(width, level), Sampler(solver, steps)
        end = sampler(field, NOISE, sampler.times().double(), field.start)
        kept.append(float((end - MEAN - DELTA).norm() / (level * NOISE).norm()))
    assert kept == pytest.approx([kept[0]] * 3, rel=1e-6)


def test_the_narrower_the_start_the_nearer_one_step_of_eulers_is_to_the_mean_path() -> None:
    """It keeps nothing of the spread, but all that is known."""
    sampler = Sampler("euler", 1)
    field = Exact(0.3)
    assert torch.allclose(sampler(field, NOISE, sampler.times().double(), field.start), MEAN + DELTA)


def test_examples_teach_the_optimal_velocity() -> None:
    """The least-squares line of the target on z_t, at one time, is the closed form."""
    objective = FlowMatching(prior="low_resolution", prior_width=0.3, time="uniform")
    objective.draw_times = lambda n, generators, device: torch.full((n,), 0.35)
    z_lr = MEAN.float().expand(200_000, 1, 9)
    z_hr = z_lr + DELTA + LEVEL * normal(200_000, 1, 9)
    start = objective.start(z_lr, torch.ones(200_000, 1, 1, dtype=torch.bool))
    example = objective.corrupt(z_hr, torch.Generator().manual_seed(1), start)
    estimate = objective.estimate(torch.zeros_like(z_hr), example, z_lr)
    probe = torch.tensor([[[0.1, -1.0, 0.5, 0.0, 0.0, 2.0, 1.0, 1.5, 2.5]]]).double()
    for i in range(9):
        design = torch.stack([torch.ones(200_000), example.z_t[:, 0, i]], 1).double()
        line = torch.linalg.lstsq(design, estimate.target_velocity[:, 0, i, None].double()).solution[:, 0]
        expected = Exact(0.3)(probe, torch.tensor([0.35]).double())[0, 0, i]
        assert float(line[0] + line[1] * probe[0, 0, i]) == pytest.approx(float(expected), abs=0.03)


@pytest.mark.parametrize("prediction", ["velocity", "data"])
def test_paths_start_at_z_lr_with_noise_of_each_channels_width(prediction: str) -> None:
    settings = {"prior": "low_resolution", "prior_width": 0.2, "prior_width_above": 0.9}
    objective = FlowMatching(prediction, **settings)
    z_hr, z_lr = normal(3, 4, 5), normal(3, 4, 5, seed=1)
    below = torch.tensor([[True, True, False, False], [True, False, False, False], [True] * 4])[..., None]
    example = objective.corrupt(z_hr, torch.Generator().manual_seed(2), objective.start(z_lr, below))
    plain = FlowMatching(prediction).corrupt(z_hr, torch.Generator().manual_seed(2))
    assert torch.equal(plain.t, example.t)
    assert torch.allclose(example.z_0, z_lr + torch.where(below, 0.2, 0.9) * plain.z_0)
    t = example.t[:, None, None]
    assert torch.allclose(example.z_t, (1 - t) * example.z_0 + t * z_hr)
    output = z_hr if prediction == "data" else z_hr - example.z_0
    estimate = objective.estimate(output, example, z_lr, torch.ones(3, 4, 5))
    early = example.t < 0.9
    assert torch.allclose(estimate.target_velocity[early], (z_hr - example.z_0)[early], atol=1e-4)
    assert torch.allclose(estimate.velocity, estimate.target_velocity, atol=1e-5)
    assert torch.allclose(estimate.data, z_hr, atol=1e-5)
    assert torch.allclose(estimate.variance, torch.where(below, 0.04, 0.81).expand(3, 4, 5))
    assert next(iter(GaussianNLL()(estimate).values())).isfinite()


def test_pure_noise_is_left_as_it_is() -> None:
    noise = normal(2, 3, 4)
    assert FlowMatching().start(noise, torch.ones(2, 3, 1, dtype=torch.bool)) is PURE_NOISE
    assert PURE_NOISE.at(noise) is noise and PURE_NOISE.in_units(noise) is noise


@pytest.mark.parametrize("settings", [{"prior": "silence"}, {"prior_width": 0.0}, {"prior_width_above": -1.0}])
def test_impossible_starts_are_refused(settings: dict) -> None:
    with pytest.raises(ConfigError, match=r"choose one of noise, low_resolution|must be above 0"):
        FlowMatching(**settings)
