from __future__ import annotations

import itertools
import math

import pytest
import torch
from diffusers import DDIMScheduler

from saga_sr.core.errors import ConfigError
from saga_sr.flow.diffusion import STEPS, VDiffusion, ddim_times, step_of, time_of
from saga_sr.flow.sampler import Sampler


def alphas() -> torch.Tensor:
    """The schedule as it is defined, by its betas, in float64."""
    f = torch.cos((torch.arange(STEPS + 1).double() / STEPS + 0.008) / 1.008 * math.pi / 2) ** 2
    return (f[1:] / f[:-1]).cumprod(0).sqrt()


def test_a_steps_time_has_the_schedules_share_of_data_and_noise() -> None:
    t = time_of(torch.arange(STEPS)).double()
    alpha = t / torch.hypot(t, 1 - t)
    assert torch.allclose(alpha, alphas(), atol=1e-6)
    assert torch.allclose((1 - t) / torch.hypot(t, 1 - t), (1 - alphas() ** 2).sqrt(), rtol=1e-4)


def test_times_are_steps_again() -> None:
    steps = torch.arange(STEPS)
    assert torch.allclose(step_of(time_of(steps)), steps.float(), atol=2e-3)
    assert step_of(torch.tensor([1.0])).item() == pytest.approx(-1, abs=1e-3)
    assert step_of(torch.tensor([0.0])).item() == pytest.approx(STEPS - 1, abs=1e-3)


def test_ddim_is_what_its_authors_wrote() -> None:
    """By eq. 12 without noise, on points of the circle, from the same noise."""
    alpha = alphas()

    def network(z: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
        """v of data that is normal with mean 0.7 and deviation 0.3."""
        sigma = (1 - alpha**2).sqrt()
        data = 0.7 + alpha * 0.09 / (alpha**2 * 0.09 + sigma**2) * (z - alpha * 0.7)
        return alpha * (z - alpha * data) / sigma - sigma * data

    z = noise = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ways = [901, 801, 701, 601, 501, 401, 301, 201, 101, 1, 0]
    for step, after in itertools.pairwise(ways):
        a, s = alpha[step], (1 - alpha[step] ** 2).sqrt()
        v = network(z, a)
        z = alpha[after] * (a * z - s * v) + (1 - alpha[after] ** 2).sqrt() * (s * z + a * v)

    def velocity(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        r = torch.hypot(t, 1 - t)[:, None, None]
        a, s = t[:, None, None] / r, (1 - t[:, None, None]) / r
        v = network(z / r, a)
        return (a - s) * z / r - (a + s) * v

    ours = Sampler("ddim", 10)(velocity, noise, ddim_times(10).double())
    assert torch.allclose(ours, z, atol=1e-5)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_noise_in_each_step_is_that_of_diffusers(eta: float) -> None:
    betas = 1 - alphas() ** 2 / torch.cat([torch.ones(1), alphas()[:-1] ** 2])
    theirs = DDIMScheduler(
        trained_betas=betas.numpy(), prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False,
        steps_offset=1,
    )  # fmt: skip
    theirs.set_timesteps(10)
    noises = torch.randn(11, 2, 3, 4, generator=torch.Generator().manual_seed(0))

    def network(z: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        return (z + step / 1000).tanh()

    z = noises[0]
    for step, noise in zip(theirs.timesteps, noises[1:], strict=True):
        z = theirs.step(network(z, step), step, z, eta=eta, variance_noise=noise).prev_sample

    def velocity(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        r = torch.hypot(t, 1 - t)[:, None, None]
        a, s = t[:, None, None] / r, (1 - t[:, None, None]) / r
        return (a - s) * z / r - (a + s) * network(z / r, step_of(t)[0].round())

    draws = iter(noises[1:])
    ours = Sampler("ddim", 10, eta=eta)(velocity, noises[0], draw=lambda: next(draws))
    assert torch.allclose(ours, z, atol=1e-4)
    assert (next(draws, None) is None) == (eta > 0)


def test_eta_is_ddims_alone() -> None:
    sampler = Sampler("ddim", 10, eta=1.0)
    assert sampler.changed(steps=5).eta == 1.0 and sampler.changed(solver="euler").eta == 0.0
    for wrong in ({"solver": "euler", "eta": 0.5}, {"eta": 1.5}, {"eta": -0.1}, {"eta": float("nan")}):
        with pytest.raises(ConfigError, match=r"sampler\.eta=.* give 0 to 1 with solver=ddim"):
            sampler.changed(**wrong)


def test_the_loss_is_that_of_v_at_each_step_equally_often() -> None:
    objective = VDiffusion()
    z_hr = torch.randn(2000, 1, 2, generator=torch.Generator().manual_seed(0))
    example = objective.corrupt(z_hr, torch.Generator().manual_seed(1))
    steps = step_of(example.t).round()
    assert (step_of(example.t) - steps).abs().max() < 5e-3 and 400 < (steps < 500).sum() - 500 < 600
    t = example.t[:, None, None]
    alpha, sigma = t / torch.hypot(t, 1 - t), (1 - t) / torch.hypot(t, 1 - t)
    v = torch.randn(2000, 1, 2, generator=torch.Generator().manual_seed(2))
    target = alpha * example.z_0 - sigma * example.z_hr
    z = alpha * example.z_hr + sigma * example.z_0
    estimate = objective.estimate((alpha - sigma) * z - (alpha + sigma) * v, example, z_hr)
    assert torch.allclose(estimate.target_velocity - estimate.velocity, v - target, atol=1e-4)


def test_other_predictions_and_starts_are_refused() -> None:
    with pytest.raises(ConfigError, match="v_diffusion has no prediction=data; leave that out"):
        VDiffusion(prediction="data")
    with pytest.raises(ConfigError, match="v_diffusion has no prior=low_resolution; leave that out"):
        VDiffusion(prior="low_resolution")
    with pytest.raises(ConfigError, match="no prediction=data and no prior=low_resolution; leave that out"):
        VDiffusion(prediction="data", prior="low_resolution")
