from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from saga_sr.flow.path import interpolate
from saga_sr.flow.sampler import Sampler
from saga_sr.weights.conventions import CONVENTIONS, enter, leave

MEAN, STD = 0.7, 0.3


def exact_network(z: Tensor, t: Tensor, convention: str) -> Tensor:
    """What a perfect network of `convention` says of data that is normal with MEAN and STD, in closed form."""
    if convention == "rectified_flow":
        a, s = 1 - t, t
    else:
        a, s = torch.cos(math.pi / 2 * t), torch.sin(math.pi / 2 * t)
    a, s = (x.reshape(-1, 1, 1) for x in (a, s))
    gain = a * STD**2 / (a**2 * STD**2 + s**2)
    data = MEAN + gain * (z - a * MEAN)
    noise = (z - a * data) / s
    return noise - data if convention == "rectified_flow" else a * noise - s * data


def our_velocity(z: Tensor, t: Tensor, convention: str) -> Tensor:
    foreign_z, foreign_t = enter(z, t, convention)
    return leave(exact_network(foreign_z, foreign_t, convention), z, t, convention)


@pytest.mark.parametrize("convention", ["rectified_flow", "v_prediction"])
def test_the_data_estimate_is_the_originals_from_the_same_noise(convention: str) -> None:
    """The original's estimate of the data at its own point is ours at ours, in float32 to 1e-4."""
    torch.manual_seed(0)
    data, noise, t = torch.randn(6, 3, 5), torch.randn(6, 3, 5), torch.linspace(0.02, 0.98, 6)
    z = interpolate(noise, data, t)
    net = torch.randn_like(z)  # any network
    foreign_z, foreign_t = enter(z, t, convention)
    if convention == "rectified_flow":
        original = foreign_z - foreign_t.reshape(-1, 1, 1) * net
        point = (1 - foreign_t.reshape(-1, 1, 1)) * data + foreign_t.reshape(-1, 1, 1) * noise
    else:
        angle = math.pi / 2 * foreign_t.reshape(-1, 1, 1)
        original = angle.cos() * foreign_z - angle.sin() * net
        point = angle.cos() * data + angle.sin() * noise
    assert torch.allclose(foreign_z, point, atol=1e-5)
    ours = z + (1 - t.reshape(-1, 1, 1)) * leave(net, z, t, convention)
    assert torch.allclose(ours, original, atol=1e-4)


@pytest.mark.parametrize("convention", ["rectified_flow", "v_prediction"])
def test_what_is_generated_is_what_the_original_generates_from_the_same_noise(convention: str) -> None:
    """Both conventions' flows carry each noise to the point of the data with the same quantile, MEAN + STD noise."""
    noise = torch.randn(4, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    grid = torch.linspace(0, 1, 401, dtype=torch.float64)
    generated = Sampler("heun", 400)(lambda z, t: our_velocity(z, t, convention), noise, grid)
    assert torch.allclose(generated, MEAN + STD * noise, atol=1e-4)
    # The original's own sampler: its probability flow, by the same solver in its own time.
    theirs = noise
    times = torch.linspace(1, 0, 401, dtype=torch.float64)[:-1]

    def slope(z: Tensor, t: Tensor) -> Tensor:
        net = exact_network(z, t.expand(len(z)), convention)
        return net if convention == "rectified_flow" else math.pi / 2 * net

    for t in times:
        h = -1 / 400
        middle = theirs + h / 2 * slope(theirs, t)
        theirs = theirs + h * slope(middle, t + h / 2)
    assert torch.allclose(theirs, generated, atol=1e-4)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_both_ends_of_the_path_are_finite(convention: str) -> None:
    z, t = torch.randn(2, 3, 4), torch.tensor([0.0, 1.0])
    foreign_z, foreign_t = enter(z, t, convention)
    assert torch.allclose(foreign_z, z) and leave(torch.randn_like(z), z, t, convention).isfinite().all()
    ends = {"velocity": [0.0, 1.0], "v_diffusion": [999.0, -1.0]}.get(convention, [1.0, 0.0])
    assert foreign_t.tolist() == pytest.approx(ends, abs=1e-5)
