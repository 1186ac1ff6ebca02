"""The network of the spectral envelope: what holds by construction, and what it can learn."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from saga_sr.backbones.envelope import END, EnvelopeNet, band_edges
from saga_sr.conditioning import Conditioning
from saga_sr.core.errors import ConfigError
from saga_sr.flow.objective import Estimate
from saga_sr.losses.log_level import LogLevel

CHANNELS, EDGE, FRAMES = 256, 100, 120


def awake(**settings: int) -> EnvelopeNet:
    """A network that says something, as a trained one does."""
    torch.manual_seed(0)
    network = EnvelopeNet(CHANNELS, width=32, depth=3, kernel=3, **settings).eval()
    for layer in (network.out, network.direct):
        torch.nn.init.normal_(layer.weight, std=0.05)
    return network


def low_band(seed: int = 0, clips: int = 2) -> Tensor:
    z = torch.randn(clips, CHANNELS, FRAMES, generator=torch.Generator().manual_seed(seed))
    z[:, EDGE:] = 0
    return z


@torch.no_grad()
def deviation(network: EnvelopeNet, z_lr: Tensor) -> Tensor:
    """What it says at t = 0, where the variance is sigma^2."""
    prediction = network(torch.zeros_like(z_lr), torch.zeros(len(z_lr)), Conditioning(concat=z_lr))
    assert prediction.variance is not None
    return prediction.variance.sqrt()


def test_bands_widen_and_cover_all_channels() -> None:
    for channels in (64, 128, 512, 1024):
        edges = band_edges(channels)
        widths = [b - a for a, b in pairwise(edges)]
        assert edges[0] == 0 and edges[-1] == channels and min(widths[:-1]) >= 4
        assert widths[:-1] == sorted(widths[:-1])


def test_what_is_louder_is_restored_louder_in_any_moment() -> None:
    network, z_lr = awake(), low_band()
    sigma = deviation(network, z_lr)[:, EDGE:]
    louder = deviation(network, 2.5 * z_lr)[:, EDGE:]
    torch.testing.assert_close(louder, 2.5 * sigma, rtol=1e-4, atol=0)
    assert sigma.std(dim=1).min() > 0.01  # it says something


def test_the_low_band_is_kept_and_one_step_gives_the_level_that_is_stated() -> None:
    network, z_lr = awake(), low_band()
    noise = torch.randn(z_lr.shape, generator=torch.Generator().manual_seed(1))
    zero = torch.zeros(len(z_lr))
    with torch.no_grad():
        prediction = network(noise, zero, Conditioning(concat=z_lr))
    # The mean of the data at t = 0; where filters have begun to fall, it is made anew.
    kept = int(END[1] * EDGE)
    torch.testing.assert_close(prediction.value[:, :kept], z_lr[:, :kept])
    assert not prediction.value[:, kept:].any()
    sigma = deviation(network, z_lr)
    assert sigma[:, :kept].max() < 0.01 < 0.1 < sigma[:, kept:].min()


def test_a_frame_depends_on_those_within_its_reach_alone() -> None:
    network, z_lr = awake(), low_band()
    changed = z_lr.clone()
    changed[:, :EDGE, :30] *= 30
    before, after = deviation(network, z_lr), deviation(network, changed)
    assert torch.equal(before[..., 60:], after[..., 60:])
    assert not torch.equal(before[..., :30], after[..., :30])


def test_it_learns_an_envelope_that_follows_from_the_low_band() -> None:
    """The band above has the tilt of the band below: known in closed form, whatever the level."""
    torch.manual_seed(0)
    network, loss = EnvelopeNet(CHANNELS, width=32, depth=1, kernel=3), LogLevel(windows=[[9, 1]])
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    place = torch.linspace(0, 1, CHANNELS)[:, None]

    def batch() -> Tensor:
        tilt, level = torch.empty(16, 1, 1).uniform_(-2, 2), torch.empty(16, 1, 1).uniform_(-2, 2)
        return torch.randn(16, CHANNELS, 24) * (tilt * place + level).exp()

    def errors(z: Tensor) -> Tensor:
        z_lr = z.clone()
        z_lr[:, EDGE:] = 0
        prediction = network(torch.randn_like(z), torch.zeros(16), Conditioning(concat=z_lr))
        estimate = Estimate(prediction.value, z, prediction.value, z, z_lr, prediction.variance)
        return loss(estimate)["log_level"]

    at_first = errors(batch()).item()
    for _ in range(250):
        optimizer.zero_grad()
        errors(batch()).backward()
        optimizer.step()
    # What is left is the scatter of nine squares.
    assert errors(batch()).item() < 0.4 * at_first


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="kernel=4 must be odd"):
        EnvelopeNet(64, kernel=4)
    with pytest.raises(ConfigError, match="prediction='noise' is not known"):
        EnvelopeNet(64, prediction="noise")
    with pytest.raises(ConfigError, match=r"leave out objective\.prior=low_resolution"):
        EnvelopeNet(64, prior="low_resolution")
