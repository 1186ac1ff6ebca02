from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal

from saga_sr.audio.degradation import KINDS, LowPassDegradation, LowPassFilter, degrade, zero_phase_lowpass
from saga_sr.core.errors import ConfigError

RATE = 44_100
SCIPY_NAMES = {"chebyshev1": "cheby1", "butterworth": "butter", "bessel": "bessel", "elliptic": "ellip"}


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", [2, 3, 7, 10])
@pytest.mark.parametrize("cutoff", [2000.0, 6543.2, 16_000.0])
def test_it_equals_forward_backward_filtering(kind: str, order: int, cutoff: float) -> None:
    audio = noise(1, 2, 65_536)
    sos = signal.iirfilter(order, cutoff, rp=0.1, rs=60, btype="low", ftype=SCIPY_NAMES[kind], fs=RATE, output="sos")
    expected = signal.sosfiltfilt(sos, audio[0].double().numpy())
    ours = zero_phase_lowpass(audio, [LowPassFilter(kind, order, cutoff)], RATE)[0].numpy()
    inner = slice(8192, -8192)
    error = np.square(ours - expected)[:, inner].sum() / np.square(expected)[:, inner].sum()
    assert 10 * np.log10(error) < -60


@pytest.mark.parametrize("kind", KINDS)
def test_responses_are_exact_to_90_db_in_float32(kind: str) -> None:
    click = torch.zeros(1, 1, 65_536)
    click[..., 32_768] = 1
    for order in (1, 5, 10):
        zeros, poles, gain = signal.iirfilter(
            order, 6543.2, rp=0.1, rs=60, btype="low", ftype=SCIPY_NAMES[kind], fs=RATE, output="zpk"
        )
        _, expected = signal.freqz_zpk(zeros, np.atleast_1d(poles), gain, np.linspace(0, np.pi, 32_769))
        ours = torch.fft.rfft(zero_phase_lowpass(click, [LowPassFilter(kind, order, 6543.2)], RATE)[0, 0].double())
        assert np.abs(np.abs(ours.numpy()) - np.square(np.abs(expected))).max() < 10 ** (-90 / 20)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_above_the_cutoff(kind: str) -> None:
    audio = noise(1, 1, 65_536)
    lr = degrade(audio, [LowPassFilter(kind, 2, 4000)], RATE)
    window = torch.hann_window(32_768)
    power = [torch.fft.rfft(x[0, 0, 16_384:49_152] * window).abs().square() for x in (audio, lr)]
    above = int(4100 / RATE * 32_768)
    assert 10 * torch.log10(power[1][above:].sum() / power[0][above:].sum()) < -80
    below = int(500 / RATE * 32_768)
    assert power[1][:below].sum() / power[0][:below].sum() == pytest.approx(1, abs=0.05)


def test_each_example_has_its_own_filter() -> None:
    audio = noise(3, 2, 10_001)
    filters = [
        LowPassFilter("bessel", 5, 3000),
        LowPassFilter("elliptic", 8, 9000),
        LowPassFilter("butterworth", 1, 14_000),
    ]
    together = degrade(audio, filters, RATE)
    assert together.shape == audio.shape
    for i, low_pass in enumerate(filters):
        assert torch.allclose(degrade(audio[i : i + 1], [low_pass], RATE)[0], together[i], atol=1e-5)


def test_versions_of_an_example_are_those_that_each_filter_makes() -> None:
    audio = noise(2, 1, 8192)
    filters = [LowPassFilter("chebyshev1", 8, hz) for hz in (2000, 4000, 6000, 12_000)]
    together = degrade(audio, filters, RATE)
    assert together.shape == (4, 1, 8192)
    for i, low_pass in enumerate(filters):
        assert torch.allclose(together[i], degrade(audio[i // 2 : i // 2 + 1], [low_pass], RATE)[0], atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 100, 4097])
def test_short_signals_keep_their_length(length: int) -> None:
    lr = degrade(noise(1, 1, length), [LowPassFilter("chebyshev1", 8, 4000)], RATE)
    assert lr.shape[-1] == length and bool(lr.isfinite().all())


def test_a_seed_means_the_same_degradation() -> None:
    hr, degradation = noise(8, 1, 20_000), LowPassDegradation(RATE)
    first, again, other = (degradation(hr, torch.Generator().manual_seed(s)) for s in (3, 3, 4))
    assert torch.equal(first.lr, again.lr) and torch.equal(first.cutoff_hz, again.cutoff_hz)
    assert not torch.equal(first.cutoff_hz, other.cutoff_hz)


def test_draws_cover_kinds_orders_and_cutoffs() -> None:
    filters = LowPassDegradation(RATE).draw([22_050.0] * 4000, torch.Generator().manual_seed(0))
    assert {f.kind for f in filters} == set(KINDS) and {f.order for f in filters} == set(range(2, 11))
    cutoffs = np.array([f.cutoff_hz for f in filters])
    assert 2000 <= cutoffs.min() < 2050 and 15_950 < cutoffs.max() <= 16_000
    assert cutoffs.mean() == pytest.approx(9000, rel=0.02)


def test_the_cutoff_stays_below_the_examples_own_bandwidth() -> None:
    hr = degrade(noise(16, 1, 65_536), [LowPassFilter("butterworth", 10, 5000)] * 16, RATE)
    cutoffs = LowPassDegradation(RATE)(hr, torch.Generator().manual_seed(0)).cutoff_hz
    assert float(cutoffs.max()) <= 0.94 * 5000 * 1.05


def test_a_range_of_cutoffs_ends_where_the_rate_does() -> None:
    """So that one recipe serves codecs of any rate."""
    degradation = LowPassDegradation(16_000, cutoff_hz=(3500, 9000))
    generators = [torch.Generator().manual_seed(i) for i in range(50)]
    cutoffs = [each.cutoff_hz for each in degradation.draw([8000.0] * 50, generators)]
    assert 3500 <= min(cutoffs) < 4500 and 6500 < max(cutoffs) <= 0.94 * 8000


@pytest.mark.parametrize(
    "settings",
    [
        {"kinds": ("cauer",)},
        {"order": (0, 4)},
        {"order": (2, 12)},
        {"cutoff_hz": (5000, 4000)},
        {"cutoff_hz": (23_000, 24_000)},
        {"bandwidth_fraction": 0},
    ],
)
def test_impossible_settings_are_refused(settings: dict) -> None:
    with pytest.raises(ConfigError):
        LowPassDegradation(RATE, **settings)
