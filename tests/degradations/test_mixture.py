from __future__ import annotations

from collections import Counter

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from saga_sr.audio.degradation import Degraded, LowPassFilter, degrade
from saga_sr.core.config import CONF_DIR
from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import Generators, seeded
from saga_sr.degradations.mixture import DegradationMixture

RATE = 44_100


class Marked:
    """Gives its number back as the edge."""

    on_cpu = False

    def __init__(self, number: float) -> None:
        self.number = number

    def __call__(self, hr: torch.Tensor, generators: Generators) -> Degraded:
        return Degraded(hr * self.number, torch.full((len(hr),), self.number))


def noise(*shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_degradations_come_as_often_as_their_weights_say() -> None:
    mixture = DegradationMixture(
        {"a": Marked(1.0), "never": Marked(2.0), "b": Marked(3.0)}, {"a": 1, "never": 0, "b": 3}
    )
    degraded = mixture(torch.ones(4000, 1, 2), seeded(range(4000)))
    assert torch.equal(degraded.lr[:, 0, 0], degraded.cutoff_hz)
    counts = Counter(degraded.cutoff_hz.tolist())
    assert set(counts) == {1.0, 3.0} and counts[3.0] == pytest.approx(3000, rel=0.03)


@pytest.mark.parametrize("weights", [{"a": 1}, {"a": 0, "b": 0}, {"a": 2, "b": -1}])
def test_impossible_weights_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        DegradationMixture({"a": Marked(1.0), "b": Marked(2.0)}, weights)


@pytest.fixture(scope="module")
def real_world() -> DegradationMixture:
    with initialize_config_dir(str(CONF_DIR), version_base=None):
        config = compose("train", overrides=["degradation=real_world"])
    return instantiate(config.degradation)


def test_an_example_depends_on_its_seed_alone(real_world: DegradationMixture) -> None:
    hr = noise(24, 1, 32_768)
    together = real_world(hr, seeded(range(24)))
    for first in (0, 7, 23):
        alone = real_world(hr[first : first + 1], seeded([first]))
        # Sums of other order may go to the next step where samples are rounded to few bits.
        assert float((alone.lr[0] - together.lr[first]).square().mean()) < 1e-6 * float(alone.lr.square().mean())
        assert torch.equal(alone.cutoff_hz[0], together.cutoff_hz[first])
    again = real_world(hr, seeded(range(24)))
    assert torch.equal(again.lr, together.lr)


def test_the_network_is_shown_nothing_above_the_edge(real_world: DegradationMixture) -> None:
    hr = noise(32, 1, 65_536)
    degraded = real_world(hr, seeded(range(32)))
    window = torch.hann_window(32_768)
    spectra = [torch.fft.rfft(x[:, 0, 16_384:49_152] * window).abs().square() for x in (hr, degraded.lr)]
    above = torch.fft.rfftfreq(32_768, 1 / RATE) > 1.02 * degraded.cutoff_hz[:, None]
    energies = [(spectrum * above).sum(dim=1) for spectrum in spectra]
    assert float((energies[1] / energies[0]).max()) < 1e-8
    assert float(degraded.cutoff_hz.max()) <= 0.94 * RATE / 2


def test_no_edge_lies_above_the_clips_own_bandwidth(real_world: DegradationMixture) -> None:
    hr = degrade(noise(16, 1, 65_536), [LowPassFilter("butterworth", 10, 5000)] * 16, RATE)
    assert float(real_world(hr, seeded(range(16))).cutoff_hz.max()) <= 0.94 * 5000 * 1.05
