"""Grids on which each step errs alike, where that is known in closed form, and for a path that bends in one place."""

from __future__ import annotations

import pytest
import torch
from test_solvers import NOISE

from saga_sr.flow.grids import between, fitted
from saga_sr.flow.sampler import Sampler

FINE = torch.linspace(0, 1, 4001).double()


def test_between_its_points_a_grid_is_read_along_straight_lines() -> None:
    grid = [0.0, 0.1, 0.5, 1.0]
    places = torch.tensor([0, 1 / 6, 1 / 3, 0.5, 2 / 3, 5 / 6, 1]).double()
    assert torch.allclose(between(grid, places), torch.tensor([0, 0.05, 0.1, 0.3, 0.5, 0.75, 1]).double())
    assert Sampler(steps=3, grid=grid).times().tolist() == pytest.approx(grid)
    assert Sampler(steps=6, grid=grid).changed(solver="heun").times()[3] == pytest.approx(0.3)


@pytest.mark.parametrize("order", [1, 2])
def test_steps_are_as_dense_as_the_root_of_the_bend(order: int) -> None:
    """z = (t + 1/2)^4 bends by 12 (t + 1/2)^2, whose root's integral grows with (t + 1/2)^k, k = 1 + 2 / (p + 1)."""
    k = 1 + 2 / (order + 1)
    shares = torch.linspace(0, 1, 9).double()
    wanted = (0.5**k + shares * (1.5**k - 0.5**k)) ** (1 / k) - 0.5
    found = fitted(((FINE + 0.5) ** 4)[:, None], FINE, 9, order)
    assert torch.allclose(torch.tensor(found).double(), wanted, atol=1e-3)


def test_a_straight_path_has_a_uniform_grid() -> None:
    assert fitted(3 * FINE[:, None], FINE, 5) == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=1e-6)


def test_a_fitted_grid_brings_fewer_steps_nearer() -> None:
    """Data that is nearly known bends at the end of the path."""
    level = 0.05

    def velocity(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        t = t[:, None]
        return (level**2 * t - (1 - t)) * z / ((level * t) ** 2 + (1 - t) ** 2)

    solver, path = Sampler("midpoint"), [NOISE]
    for i in range(0, 400):
        path.append(solver.follow(velocity, path[-1], FINE[10 * i : 10 * i + 11 : 10]))
    for name, order in (("euler", 1), ("adams_bashforth", 2), ("midpoint", 2)):
        grid = fitted(torch.stack(path), FINE[::10], 9, order)
        uniform, own = (
            (sampler.follow(velocity, NOISE, sampler.times().double()) - level * NOISE).square().mean()
            for sampler in (Sampler(name, 8), Sampler(name, 8, grid=grid))
        )
        assert own < uniform / 10
