from __future__ import annotations

import pytest
import torch
from scipy import stats

from saga_sr.core.errors import ConfigError
from saga_sr.flow.objective import Estimate
from saga_sr.losses.gaussian_nll import GaussianNLL


def estimate(data: torch.Tensor, target: torch.Tensor, variance: torch.Tensor | None) -> Estimate:
    return Estimate(data, target, data, target, torch.zeros_like(data), variance)


def test_it_is_the_likelihood_of_scipy() -> None:
    generator = torch.Generator().manual_seed(0)
    data, target = torch.randn(2, 3, 4, generator=generator), torch.randn(2, 3, 4, generator=generator)
    variance = torch.rand(2, 3, 4, generator=generator) + 0.1
    term = GaussianNLL(min_std=0.0)(estimate(data, target, variance))["gaussian_nll"]
    density = stats.norm.logpdf(target.numpy(), data.numpy(), variance.sqrt().numpy())
    assert float(term) == pytest.approx(-density.mean() - 0.5 * float(torch.log(torch.tensor(2 * torch.pi))), rel=1e-4)


def test_the_true_mean_and_variance_are_the_best() -> None:
    target = 2 + 0.3 * torch.randn(1, 1, 50_000, generator=torch.Generator().manual_seed(0))
    loss = GaussianNLL(min_std=0.0)

    def score(mean: float, std: float) -> float:
        full = torch.full_like(target, mean)
        return float(loss(estimate(full, target, torch.full_like(target, std**2)))["gaussian_nll"])

    best = score(2, 0.3)
    assert all(best < score(mean, std) for mean, std in ((2.05, 0.3), (1.95, 0.3), (2, 0.35), (2, 0.25)))


def test_a_network_without_variance_is_refused() -> None:
    z = torch.zeros(1, 1, 1)
    with pytest.raises(ConfigError, match="head=gaussian"):
        GaussianNLL()(estimate(z, z, None))
