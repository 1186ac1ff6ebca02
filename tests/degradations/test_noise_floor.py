from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from saga_sr.audio.degradation import LowPassDegradation
from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import seeded
from saga_sr.degradations.noise_floor import NoiseFloor, hiss, rounded

RATE = 44_100
SEEDS = range(24)


def noise(*shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def levels_db(audio: torch.Tensor) -> torch.Tensor:
    return 20 * audio.square().mean(dim=(1, 2)).sqrt().log10()


def test_noise_is_added_to_the_input_alone_and_below_its_edge() -> None:
    clean, hr = LowPassDegradation(RATE), noise(len(SEEDS), 1, 65_536)
    before = hr.clone()
    degraded, quiet = NoiseFloor(clean, RATE)(hr, seeded(SEEDS)), clean(hr, seeded(SEEDS))
    assert torch.equal(hr, before) and torch.equal(degraded.cutoff_hz, quiet.cutoff_hz)
    added = degraded.lr - quiet.lr
    window = torch.hann_window(32_768)
    power = torch.fft.rfft(added[:, 0, 16_384:49_152] * window).abs().square()
    above = torch.fft.rfftfreq(32_768, 1 / RATE) > 1.02 * degraded.cutoff_hz[:, None]
    assert float(((power * above).sum(dim=1) / power.sum(dim=1)).max()) < 1e-6
    relative = levels_db(added) - levels_db(quiet.lr)
    assert len(relative.unique()) == len(SEEDS) and -110 < float(relative.min()) < float(relative.max()) < -20


def test_a_gain_before_is_a_gain_after_and_silence_stays() -> None:
    floor, hr = NoiseFloor(LowPassDegradation(RATE), RATE), noise(8, 1, 32_768)
    loud, quiet = (floor(gain * hr, seeded(range(8))).lr for gain in (1.0, 0.01))
    # Near half a step, float32 rounds either way.
    assert float((0.01 * loud - quiet).abs().mean()) < 1e-4 * float(quiet.abs().mean())
    silent = floor(torch.zeros(8, 1, 32_768), seeded(range(8))).lr
    assert bool(silent.isfinite().all()) and float(silent.abs().max()) < 1e-6


def test_an_example_depends_on_its_seed_alone() -> None:
    floor, hr = NoiseFloor(LowPassDegradation(RATE), RATE), noise(6, 1, 32_768)
    together, alone = floor(hr, seeded(range(6))), floor(hr[4:5], seeded([4]))
    assert torch.allclose(alone.lr[0], together.lr[4], atol=1e-5)


@pytest.mark.parametrize("tilt_db", [-3.0, 0.0, 3.0])
def test_hiss_has_its_level_and_tilt(tilt_db: float) -> None:
    sound = hiss((1, 1 << 18), tilt_db, np.random.default_rng(0))
    assert float(sound.square().mean()) == pytest.approx(1, rel=1e-3)
    power = torch.fft.rfft(sound[0]).abs().square()
    octaves = [10 * power[first : 2 * first].mean().log10() for first in (1 << 14, 1 << 15, 1 << 16)]
    assert all(float(b - a) == pytest.approx(tilt_db, abs=0.2) for a, b in itertools.pairwise(octaves))


@pytest.mark.parametrize("bits", [8, 16])
def test_rounding_makes_the_noise_of_its_bits(bits: int) -> None:
    audio = noise(1, 100_000)
    error = rounded(audio, bits, np.random.default_rng(0)) - audio
    # A step's own rounding and two dithers of a step, each a twelfth of its square.
    assert float(error.square().mean()) == pytest.approx(3 / 12 * 4.0 ** (1 - bits), rel=0.03)
    assert abs(float((error * audio).mean())) < 0.02 * float(error.square().mean().sqrt() * 0.1)


@pytest.mark.parametrize("settings", [{"hiss_db": (-20, -30)}, {"bits": ()}, {"bits": (12,)}])
def test_impossible_settings_are_refused(settings: dict) -> None:
    with pytest.raises(ConfigError):
        NoiseFloor(LowPassDegradation(RATE), RATE, **settings)
