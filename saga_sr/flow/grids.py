"""Time grids that are fitted to a model: fine where its paths bend, coarse where they are straight."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def between(grid: Sequence[float], places: Tensor) -> Tensor:
    """The times at `places` [n] in [0, 1] of a `grid` of m rising times, by straight lines between i / (m - 1)."""
    knots = torch.tensor(grid, dtype=places.dtype, device=places.device)
    at = places * (len(grid) - 1)
    before = at.floor().clamp(max=len(grid) - 2)
    first = before.long()
    return knots[first] + (at - before) * (knots[first + 1] - knots[first])


def fitted(path: Tensor, times: Tensor, points: int, order: int = 1) -> list[float]:
    """The grid of `points` times on which each step of a solver of an `order` errs alike.

    A step h of order p errs by a multiple of h^(p + 1) times the path's derivative of order p + 1, so that steps are as
    dense as the (p + 1)-th root of it; here of that of order 2, which is measured, for solvers of order 1 and 2 alike.
    Source: de Boor, "Good approximation by splines with variable knots II" (1974), equidistribution.

    Args:
        path: points [n, b, ...] of b paths, at fine `times` [n] that rise from 0 to 1; n at least 3.
        order: of the solver.
    """
    rows = path.flatten(1).double()
    steps = times.double().diff()
    slopes = rows.diff(dim=0) / steps[:, None]
    bend = (2 * slopes.diff(dim=0) / (steps[1:] + steps[:-1])[:, None]).square().mean(dim=1).sqrt()
    # That of the ends is that of their neighbours.
    density = torch.cat([bend[:1], bend, bend[-1:]]) ** (1 / (order + 1))
    # No step is longer than four of the mean's, however straight the path.
    density = density.clamp(min=density.mean() / 4) if density.any() else torch.ones_like(density)
    share = torch.cat([density.new_zeros(1), ((density[1:] + density[:-1]) / 2 * steps).cumsum(0)])
    wanted = torch.linspace(0, 1, points, dtype=torch.float64) * share[-1]
    after = torch.searchsorted(share, wanted[1:-1]).clamp(1, len(share) - 1)
    part = (wanted[1:-1] - share[after - 1]) / (share[after] - share[after - 1])
    inner = times.double()[after - 1] + part * steps[after - 1]
    return [0.0, *inner.tolist(), 1.0]
