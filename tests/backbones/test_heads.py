from __future__ import annotations

import math

import torch

from saga_sr.backbones.heads import GaussianHead
from saga_sr.flow.path import interpolate, velocity_from_data


def head_with(mu: float, sigma: float, prediction: str) -> GaussianHead:
    head = GaussianHead(4, 1, prediction)
    with torch.no_grad():
        head.to_moments.bias.copy_(torch.tensor([mu, math.log(sigma), 0.0]))
    return head


def test_it_is_the_posterior_of_a_gaussian() -> None:
    """Against regression on samples: E[z | z_t] is the least-squares line of z on z_t, Var[z | z_t] what it leaves."""
    mu, sigma, t = 0.5, 1.7, 0.35
    generator = torch.Generator().manual_seed(0)
    z = mu + sigma * torch.randn(400_000, generator=generator, dtype=torch.float64)
    noise = torch.randn(z.shape, generator=generator, dtype=torch.float64)
    z_t = interpolate(noise, z, torch.full(z.shape, t, dtype=torch.float64))
    design = torch.stack([torch.ones_like(z_t), z_t], 1)
    probe = torch.tensor([-1.0, 0.0, 2.0])
    for prediction, target in (("data", z), ("velocity", z - noise)):
        line = torch.linalg.lstsq(design, target[:, None]).solution[:, 0]
        said = head_with(mu, sigma, prediction)(
            torch.zeros(1, 3, 4), probe[None, None], torch.tensor([t]), torch.zeros(1, 1, 3)
        )
        assert torch.allclose(said.value[0, 0], (line[0] + line[1] * probe).float(), atol=0.02)
    rest = z - design @ torch.linalg.lstsq(design, z[:, None]).solution[:, 0]
    assert said.variance is not None
    assert torch.allclose(said.variance, rest.var().float().expand_as(said.variance), rtol=0.01)


def test_it_is_the_posterior_where_paths_start_at_z_lr_too() -> None:
    """By Bayes' rule on (z, z_t), which are jointly Gaussian; sigma and the variance are in units of the width."""
    delta, sigma, width, t, z_lr = 0.5, 1.7, 0.3, 0.35, -0.8
    probe = torch.tensor([-1.0, 0.0, 2.0])
    variance_t = (t * sigma) ** 2 + ((1 - t) * width) ** 2
    residual = probe - (z_lr + t * delta)
    data = z_lr + delta + t * sigma**2 / variance_t * residual
    left = sigma**2 - (t * sigma**2) ** 2 / variance_t
    for prediction, expected in (("data", data), ("velocity", (data - probe) / (1 - t))):
        head = GaussianHead(4, 1, prediction, "low_resolution")
        with torch.no_grad():
            head.to_moments.bias.copy_(torch.tensor([delta, math.log(sigma / width), 0.0]))
        said = head(torch.zeros(1, 3, 4), probe[None, None], torch.tensor([t]), torch.full((1, 1, 3), z_lr))
        assert torch.allclose(said.value[0, 0], expected, atol=1e-5)
        assert said.variance is not None
        assert torch.allclose(said.variance * width**2, torch.tensor(left), atol=1e-5)


def test_both_predictions_say_the_same() -> None:
    tokens, z_t, t, z_lr = (
        torch.randn(3, 5, 4),
        torch.randn(3, 1, 5),
        torch.tensor([0.0, 0.4, 0.9]),
        torch.randn(3, 1, 5),
    )
    data = head_with(0.3, 0.6, "data")(tokens, z_t, t, z_lr)
    velocity = head_with(0.3, 0.6, "velocity")(tokens, z_t, t, z_lr)
    assert torch.allclose(velocity.value, velocity_from_data(data.value, z_t, t), atol=1e-4)
    assert torch.equal(velocity.variance, data.variance)


def test_it_starts_as_a_unit_gaussian_around_the_condition_and_is_finite_at_both_ends() -> None:
    for prediction in ("data", "velocity"):
        head = GaussianHead(4, 2, prediction)
        z_t, z_lr = torch.randn(2, 2, 3), torch.randn(2, 2, 3)
        said = head(torch.randn(2, 3, 4), z_t, torch.tensor([0.0, 1.0]), z_lr)
        assert bool(said.value.isfinite().all()) and bool(said.variance.isfinite().all())
        if prediction == "data":
            assert torch.allclose(said.value[0], z_lr[0]) and torch.allclose(said.value[1], z_t[1])
            assert torch.allclose(said.variance[0], torch.ones(2, 3)) and torch.allclose(
                said.variance[1], torch.zeros(2, 3)
            )
