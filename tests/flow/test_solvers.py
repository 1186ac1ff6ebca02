"""Convergence on a flow whose exact solution is known.

For data from a mixture of Gaussians N(m_i, s_i^2) with weights w_i and standard normal noise, the marginal velocity of
the straight path at z is the posterior mean of (data - noise), a sum of closed forms. In one dimension the flow keeps
the order of points, so it sends noise e to the quantile of the mixture at Phi(e).
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler
from scipy import optimize, stats

from saga_sr.core.errors import ConfigError
from saga_sr.flow.sampler import Sampler
from saga_sr.flow.solvers import STEPS

WEIGHTS, MEANS, STDS = (torch.tensor(v, dtype=torch.float64) for v in ([0.3, 0.7], [-1.0, 0.8], [0.5, 0.7]))
NOISE = torch.linspace(-2, 2, 33, dtype=torch.float64)[:, None]


def exact_velocity(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    t = t[:, None]
    variance = (STDS * t) ** 2 + (1 - t) ** 2
    residual = z - t * MEANS
    likelihood = WEIGHTS * torch.exp(-(residual**2) / (2 * variance)) / variance.sqrt()
    velocity = MEANS + (STDS**2 * t - (1 - t)) * residual / variance
    return (likelihood * velocity).sum(1, keepdim=True) / likelihood.sum(1, keepdim=True)


class Mixture:
    """The mixture with weights, means and deviations, as a field that states the variance of the data."""

    def __init__(self, weights: torch.Tensor = WEIGHTS, means: torch.Tensor = MEANS, stds: torch.Tensor = STDS) -> None:
        self.weights, self.means, self.stds = weights, means, stds

    def moments(self, z: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        t = t[:, None]
        spread = (self.stds * t) ** 2 + (1 - t) ** 2
        residual = z - t * self.means
        share = torch.softmax(self.weights.log() - residual**2 / (2 * spread) - spread.log() / 2, dim=1)
        data = self.means + self.stds**2 * t * residual / spread
        mean = (share * data).sum(1, keepdim=True)
        power = (share * (data**2 + (self.stds * (1 - t)) ** 2 / spread)).sum(1, keepdim=True)
        return (mean - z) / (1 - t), power - mean**2


def exact_end() -> torch.Tensor:
    def mixture_cdf(x: float) -> float:
        return float((WEIGHTS.numpy() * stats.norm.cdf(x, MEANS.numpy(), STDS.numpy())).sum())

    ends = [
        optimize.brentq(lambda x, e=e: mixture_cdf(x) - stats.norm.cdf(e), -8, 8, xtol=1e-14)
        for e in NOISE[:, 0].tolist()
    ]
    return torch.from_numpy(np.array(ends))[:, None]


END = exact_end()


def error(solver: str, steps: int, power: float = 1.0) -> float:
    sampler = Sampler(solver, steps, power)
    return float(
        (sampler(Mixture() if solver == "gaussian" else exact_velocity, NOISE, sampler.times().double()) - END)
        .abs()
        .max()
    )


@pytest.mark.parametrize(
    ("solver", "order"),
    [("euler", 1), ("midpoint", 2), ("heun", 2), ("gaussian", 1), ("adams_bashforth", 2), ("dpmpp_2m", 1.9)],
)
@pytest.mark.parametrize("power", [1.0, 1.5])
def test_measured_order_of_convergence(solver: str, order: int, power: float) -> None:
    slopes = [math.log2(error(solver, n, power) / error(solver, 2 * n, power)) for n in (64, 128, 256)]
    assert slopes[-1] == pytest.approx(order, abs=0.12)


def test_dpm_solver_is_that_of_diffusers() -> None:
    """Which takes sigma = 1 - t, and the velocity from data to noise; it starts a little after the noise."""
    times = torch.linspace(0.001, 1, 9).double() ** 1.2
    scheduler = DPMSolverMultistepScheduler(
        use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=1.0, euler_at_final=True
    )
    scheduler.set_timesteps(8)
    scheduler.sigmas = 1 - times
    z = NOISE.clone()
    for t, place in zip(times, scheduler.timesteps, strict=False):
        z = scheduler.step(-exact_velocity(z, t.expand(len(z))), place, z).prev_sample
    assert torch.allclose(Sampler("dpmpp_2m").follow(exact_velocity, NOISE, times), z, atol=1e-6)


def test_steps_that_remember_are_nearer_than_eulers_at_as_many_evaluations() -> None:
    for evaluations in (8, 16):
        assert (
            max(error(solver, evaluations) for solver in ("adams_bashforth", "dpmpp_2m"))
            < error("euler", evaluations) / 8
        )


def test_any_increasing_grid_reaches_the_solution() -> None:
    times = torch.cat(
        [torch.zeros(1), torch.rand(400, generator=torch.Generator().manual_seed(0)).sort()[0], torch.ones(1)]
    )
    end = Sampler("midpoint")(exact_velocity, NOISE, times.double())
    assert torch.allclose(end, END, atol=1e-3)


def test_data_prediction_never_divides_by_zero() -> None:
    """With x-prediction, v = (x - z) / (1 - t): every solver must stay away from t = 1."""

    def velocity(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        assert bool((t < 1).all())
        return (3.0 - z) / (1 - t[:, None])

    for solver in ("euler", "midpoint", "heun", "adams_bashforth", "dpmpp_2m"):
        assert torch.allclose(Sampler(solver, 5)(velocity, torch.randn(4, 1)), torch.tensor(3.0), atol=1e-4)


@pytest.mark.parametrize("steps", [1, 2, 7, 16])
@pytest.mark.parametrize("power", [0.33, 1.0, 2.0])
def test_gaussian_steps_keep_the_energy_of_gaussian_data_at_any_number(steps: int, power: float) -> None:
    """Noise e ends at mean + level e, from levels far below the noise's to far above it."""
    noise = NOISE.flip(0)
    for level in (0.01, 0.1, 1.0, 10.0, 100.0):
        data = Mixture(*(torch.tensor([value]).double() for value in (1.0, 0.7, level)))
        sampler = Sampler("gaussian", steps, power)
        end = sampler(data, noise, sampler.times().double())
        assert torch.allclose(end, 0.7 + level * noise, rtol=1e-4, atol=1e-6)


def kept_db(solver: str, evaluations: int, level: float) -> float:
    """How much of the spread of data N(0, level^2) is kept with so many evaluations of the network."""
    sampler = Sampler(solver, evaluations // 2 if solver in ("midpoint", "heun") else evaluations)
    data = Mixture(*(torch.tensor([value]).double() for value in (1.0, 0.0, level)))
    end = sampler(lambda z, t: data.moments(z, t)[0], NOISE, sampler.times().double())
    return 20 * math.log10(max(float(end.square().mean().sqrt()) / (level * float(NOISE.square().mean().sqrt())), 1e-9))


def test_without_a_variance_midpoint_keeps_the_energy_at_the_fewest_evaluations() -> None:
    """The table in `solvers.py`."""
    table = {
        "euler": [(-11.0, -5.4, -2.5), (-4.6, -2.1, -1.1), (-2.9, -1.4, -0.7), (-3.3, -1.6, -0.8)],
        "heun": [(-20.0, -10.7, -4.5), (-10.5, -3.0, -0.7), (-2.5, -0.4, -0.1), (-2.9, -0.5, -0.1)],
        "midpoint": [(-6.7, -1.9, -0.2), (-0.7, -0.1, 0.0), (-0.2, 0.0, 0.0), (-0.1, 0.0, 0.0)],
        "adams_bashforth": [(-8.7, -3.5, -1.0), (-2.3, -0.6, -0.1), (-0.5, -0.1, 0.0), (-0.8, -0.1, 0.0)],
        "dpmpp_2m": [(-11.0, -5.1, -1.7), (-4.2, -1.0, 0.0), (-1.8, -0.1, 0.0), (-2.6, -0.5, -0.2)],
    }
    for solver, rows in table.items():
        for level, row in zip((0.1, 0.3, 1.0, 2.0), rows, strict=True):
            found = [kept_db(solver, evaluations, level) for evaluations in (4, 8, 16)]
            assert found == pytest.approx(row, abs=0.06), (solver, level)
    assert kept_db("euler", 1, 1.0) < -100  # the mean
    variance = 1.0  # of data N(0, 1), noise being drawn anew at each of four times: s E[data | z_t] + (1 - s) noise
    for t, s in pairwise((0, 0.25, 0.5, 0.75, 1)):
        variance = (s * t / (t**2 + (1 - t) ** 2)) ** 2 * variance + (1 - s) ** 2
    assert 10 * math.log10(variance) == pytest.approx(-5.1, abs=0.06)


def test_a_few_gaussian_steps_are_nearer_than_many_of_eulers() -> None:
    """Of data that is not Gaussian, too."""
    assert error("gaussian", 1) < error("euler", 4) and error("gaussian", 4) < error("euler", 16)


def test_signs_of_the_noise_leave_every_coefficient_at_its_level() -> None:
    """Of a Gaussian N(0, s^2) the flow takes noise e to s e: what starts from +-1 ends at +-s."""
    level = torch.tensor([[0.1], [1.0], [3.0]]).double()
    noise = torch.randn(3, 50, generator=torch.Generator().manual_seed(0)).double()

    def velocity(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        t = t[:, None]
        return (level**2 * t - (1 - t)) * z / ((level * t) ** 2 + (1 - t) ** 2)

    gaussian, signs = (Sampler("heun", 400, noise=kind)(velocity, noise) for kind in ("gaussian", "rademacher"))
    assert torch.allclose(gaussian, level * noise, rtol=1e-2)
    assert torch.allclose(signs, level * noise.sign(), rtol=1e-2)


@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "rk45"},
        {"steps": 0},
        {"power": 0.0},
        {"noise": "pink"},
        {"grid": [0.0]},
        {"grid": [0.0, 0.6, 0.5, 1.0]},
        {"grid": [0.1, 1.0]},
    ],
)
def test_impossible_settings_are_refused(settings: dict) -> None:
    with pytest.raises(ConfigError):
        Sampler(**settings)


@pytest.mark.parametrize("solver", STEPS)
def test_presets_take_more_and_more_steps_and_few_where_the_energy_needs_few(solver: str) -> None:
    own = Sampler(solver, steps=5)
    fast, balanced, best = (own.changed(effort=effort).steps for effort in ("fast", "balanced", "best"))
    assert fast < balanced < best and own.changed().steps == 5
    assert own.changed(effort="best", steps=3).steps == 3
    evaluations = {"midpoint": 2, "heun": 2}.get(solver, 1)
    assert fast * evaluations == (1 if solver == "gaussian" else 4)
    with pytest.raises(ConfigError, match="choose one of fast, balanced, best"):
        own.changed(effort="slow")
