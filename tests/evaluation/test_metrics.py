"""Each metric against a computation of its own, or on signals whose answer is known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import signal, stats
from torchmetrics.functional.audio import scale_invariant_signal_distortion_ratio, signal_noise_ratio

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.evaluation import metrics

RATE = 44_100
CUTOFF = torch.tensor([6000.0, 6000.0])


def noise(seed: int, level: float = 0.1, n: int = 40_000) -> torch.Tensor:
    return level * torch.randn(2, 1, n, generator=torch.Generator().manual_seed(seed))


def scipy_log_power(x: torch.Tensor) -> np.ndarray:
    padded = np.pad(x.double().numpy(), 1024, mode="reflect")
    window = signal.get_window("hann", 2048)
    frames = np.stack([padded[i : i + 2048] * window for i in range(0, len(padded) - 2047, 512)], 1)
    return np.log10(np.abs(np.fft.rfft(frames, axis=0)) ** 2 + 1e-8)


def test_lsd_agrees_with_numpy_whole_and_by_band() -> None:
    output, reference = noise(0), noise(1, 3e-6)  # the reference near the floor
    difference = scipy_log_power(output[0, 0]) - scipy_log_power(reference[0, 0])
    hz = np.arange(1025) * RATE / 2048
    nyquist = torch.full((2,), RATE / 2)
    for ours, rows in (
        (metrics.lsd(output, reference), hz >= 0),
        (metrics.lsd_band(output, reference, CUTOFF, nyquist, RATE), hz > 6000),
        (metrics.lsd_band(output, reference, CUTOFF * 0 - 1, CUTOFF, RATE), hz <= 6000),
    ):
        assert float(ours[0]) == pytest.approx(np.sqrt((difference[rows] ** 2).mean(0)).mean(), rel=1e-4)


def test_a_gain_moves_every_bin_alike() -> None:
    reference = noise(0, 1.0)
    assert metrics.lsd(2 * reference, reference) == pytest.approx([math.log10(4)] * 2, rel=1e-3)
    assert metrics.lsd_hf_audible(2 * reference, reference, CUTOFF, RATE) == pytest.approx(
        [math.log10(4)] * 2, rel=1e-3
    )
    assert metrics.mel_l1(2 * reference, reference, RATE) == pytest.approx([20 * math.log10(2)] * 2, rel=1e-3)
    assert metrics.mel_l2(2 * reference, reference, RATE) == pytest.approx([20 * math.log10(2)] * 2, rel=1e-3)
    assert metrics.level_hf_db(2 * reference, reference, CUTOFF, RATE) == pytest.approx([6.02] * 2, abs=0.01)
    assert metrics.energy_hf_db(2 * reference, reference, CUTOFF, RATE) == pytest.approx([6.02] * 2, abs=0.01)
    assert metrics.correlation(-2 * reference, reference) == pytest.approx([-1.0] * 2, abs=1e-5)
    assert metrics.si_sdr(2 * reference + noise(1, 0.01), reference) == pytest.approx([46.0] * 2, abs=0.2)


def tones(low: float, high: float) -> torch.Tensor:
    """A sine of each amplitude, in the middle of the bins 100 and 600."""
    time = torch.arange(40 * 2048 + 1, dtype=torch.float64) * (2 * math.pi / 2048)
    return (low * torch.cos(100 * time) + high * torch.cos(600 * time)).float()[None, None]


@pytest.mark.parametrize(
    ("low", "reference_db", "output_db", "expected"),
    [
        (0.5, -30, -40, 1.0),  # a bel in each bin of the sine
        (0.5, -40, -200, math.sqrt((2.0**2 + 2 * (2 - math.log10(4)) ** 2) / 3)),  # 20 dB above what is heard
        (0.5, -200, -40, math.sqrt((2.0**2 + 2 * (2 - math.log10(4)) ** 2) / 3)),
        (0.5, -61, -90, 0.0),  # masked
        (1e-3, -21, -40, 0.0),  # below -80 dBFS
        (1e-3, -10, -40, math.sqrt((1.0**2 + 2 * (1 - math.log10(4)) ** 2) / 3)),  # at -70 dBFS, and 10 dB above
    ],
)
def test_audible_distance_of_sines(low: float, reference_db: float, output_db: float, expected: float) -> None:
    reference, output = (tones(low, low * 10 ** (db / 20)) for db in (reference_db, output_db))
    found = metrics.lsd_hf_audible(output, reference, CUTOFF[:1], RATE)
    assert float(found) == pytest.approx(expected, abs=2e-3)
    assert float(metrics.lsd_hf_audible(output, reference, CUTOFF[:1], RATE, CUTOFF[:1] + 2000)) == 0


def test_ratios_agree_with_torchmetrics() -> None:
    output, reference = noise(0) + noise(1), noise(1)
    assert torch.allclose(
        metrics.si_sdr(output, reference),
        scale_invariant_signal_distortion_ratio(output, reference).mean(1),
        atol=1e-2,
    )
    assert torch.allclose(metrics.snr(output, reference), signal_noise_ratio(output, reference).mean(1), atol=1e-2)


def test_correlation_and_rmse_agree_with_scipy() -> None:
    output, reference = noise(0) + noise(1) + 0.3, noise(1)
    expected = stats.pearsonr(output[0, 0].numpy(), reference[0, 0].numpy()).statistic
    assert float(metrics.correlation(output, reference)[0]) == pytest.approx(expected, abs=1e-4)
    difference = (output - reference)[0, 0].double().numpy()
    assert float(metrics.rmse(output, reference)[0]) == pytest.approx(np.sqrt(np.mean(difference**2)), rel=1e-4)


def slaney_mel(hz: np.ndarray) -> np.ndarray:
    """Linear up to 1 kHz (15 mels), then 27 mels for each factor of 6.4."""
    return np.where(hz < 1000, 3 * hz / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def test_mel_distances_agree_with_numpy() -> None:
    edges = np.interp(
        np.linspace(0, slaney_mel(np.array(RATE / 2)), 130), slaney_mel(grid := np.arange(0, 22_051.0)), grid
    )
    bins = np.arange(1025) * RATE / 2048
    filters = np.stack(
        [
            np.interp(bins, edges[i : i + 3], [0, 1, 0]) * 2 / (edges[i + 2] - edges[i])  # of equal area
            for i in range(128)
        ]
    )
    output, reference = noise(0), noise(1, 3e-5)  # the reference near the floor
    mels = [10 * np.log10(filters @ (10 ** scipy_log_power(x[0, 0]) - 1e-8) + 1e-8) for x in (output, reference)]
    difference = mels[0] - mels[1]
    assert float(metrics.mel_l1(output, reference, RATE)[0]) == pytest.approx(np.abs(difference).mean(), rel=1e-3)
    assert float(metrics.mel_l2(output, reference, RATE)[0]) == pytest.approx(np.sqrt((difference**2).mean()), rel=1e-3)


def test_a_missing_high_band_shows_above_the_cutoff_alone() -> None:
    reference = noise(0)
    lr = degrade(reference, [LowPassFilter("butterworth", 10, 6000)] * 2, RATE)
    measured = metrics.measure(lr, reference, CUTOFF, RATE)
    assert bool((measured["lsd_hf"] > 4).all()) and bool((measured["lsd_lf"] < 0.3).all())
    assert bool((measured["level_hf_db"] < -30).all()) and bool((measured["energy_hf_db"] < -30).all())


def test_level_hears_quiet_moments_and_energy_loud_ones() -> None:
    reference = noise(0) * torch.cat([torch.ones(20_000), 0.01 * torch.ones(20_000)])
    output = reference * torch.cat([torch.ones(20_000), 4 * torch.ones(20_000)])
    assert metrics.level_hf_db(output, reference, CUTOFF, RATE) == pytest.approx([6.0] * 2, abs=0.5)
    assert metrics.energy_hf_db(output, reference, CUTOFF, RATE) == pytest.approx([0.0] * 2, abs=0.1)


def test_an_error_above_the_cutoff_does_not_touch_the_low_band() -> None:
    reference = noise(0)
    wrong = torch.fft.rfft(noise(1))
    wrong[..., : int(6500 / RATE * 40_000)] = 0
    measured = metrics.measure(reference + torch.fft.irfft(wrong, 40_000), reference, CUTOFF, RATE)
    assert bool((measured["lsd_hf"] > 0.3).all()) and bool((measured["lsd_lf"] < 0.01).all())


def test_onsets_agree_with_scipy() -> None:
    reference = noise(0) * torch.cat([torch.full((20_000,), 0.01), torch.ones(20_000)])
    output = noise(1)
    edges = 6000 * (RATE / 2 / 6000) ** (np.arange(9) / 8)
    hz = np.arange(257) * RATE / 512
    strengths = []
    for x in (output[0, 0], reference[0, 0]):
        padded = np.pad(x.double().numpy(), 256, mode="reflect")
        frames = np.stack([padded[i : i + 512] for i in range(0, len(padded) - 511, 128)], 1)
        power = np.abs(np.fft.rfft(frames * signal.get_window("hann", 512)[:, None], axis=0)) ** 2
        pairs = itertools.pairwise(edges)
        bands = np.stack([power[(hz > low) & (hz <= high)].mean(0) for low, high in pairs])
        strengths.append(np.maximum(np.diff(10 * np.log10(bands + 1e-8)), 0).mean(0))
    expected = np.sqrt(np.mean((strengths[0] - strengths[1]) ** 2))
    assert float(metrics.onset_hf_db(output, reference, CUTOFF, RATE)[0]) == pytest.approx(expected, rel=1e-3)


def test_a_steady_rise_is_its_own_onset_strength() -> None:
    """Tones in every band that rise by 0.5 dB a frame against tones that do not."""
    t = torch.arange(40_000) / RATE
    middles = 6000 * (RATE / 2 / 6000) ** ((torch.arange(8) + 0.5) / 8)
    steady = 0.01 * torch.sin(2 * torch.pi * middles[:, None] * t).sum(dim=0).expand(2, 1, -1)
    rising = steady * 10 ** (0.5 / 20 * t * RATE / 128)
    assert metrics.onset_hf_db(rising, steady, CUTOFF, RATE) == pytest.approx([0.5] * 2, abs=0.02)
    assert metrics.onset_hf_db(rising.flip(-1), steady, CUTOFF, RATE) == pytest.approx([0.0] * 2, abs=0.1)
    assert metrics.onset_hf_db(10 * rising, rising, CUTOFF, RATE) == pytest.approx([0.0] * 2, abs=0.01)


def test_attacks_that_are_missing_soft_or_early_show() -> None:
    hits = torch.zeros(40_000)
    for begin in (8000, 24_000):
        hits[begin : begin + 6000] = torch.exp(-torch.arange(6000) / 1500)
    steady, reference = 1e-3 * noise(2), noise(0) * hits
    early, soft = reference.roll(-700, dims=-1), noise(0) * hits.roll(-350).cumsum(0) / 20_000
    right = metrics.onset_hf_db(steady + noise(1) * hits, steady + reference, CUTOFF, RATE)
    for wrong in (torch.zeros_like(reference), early, soft):
        assert bool((metrics.onset_hf_db(steady + wrong, steady + reference, CUTOFF, RATE) > 1.5 * right).all())


def test_what_comes_before_an_attack_is_measured_apart_from_it() -> None:
    attack = torch.zeros(40_000)
    attack[20_000:20_200] = 100
    floor = 1e-3 * noise(2)
    reference = floor + attack * noise(0)
    smeared = reference.clone()
    smeared[..., 19_118:20_000] *= 4
    for output, expected in ((reference, 0.0), (smeared, 12.04), (floor + attack * noise(1), 0.0)):
        found = metrics.pre_attack_hf_db(output, reference, 20_000, CUTOFF, RATE)
        assert found == pytest.approx([expected] * 2, abs=0.01)
    low = 0.1 * torch.sin(2 * torch.pi * 1000 / RATE * torch.arange(40_000))
    assert metrics.pre_attack_hf_db(reference + low, reference, 20_000, CUTOFF, RATE) == pytest.approx([0] * 2, abs=0.1)


def test_each_example_has_its_own_cutoff() -> None:
    output, reference = noise(0).repeat(2, 1, 1), noise(1, 0.05).repeat(2, 1, 1)
    cutoffs = torch.tensor([2000.0, 2000.0, 9000.0, 9000.0])
    together = metrics.measure(output, reference, cutoffs, RATE)
    for part in (slice(0, 2), slice(2, 4)):
        alone = metrics.measure(output[part], reference[part], cutoffs[part], RATE)
        for name, value in alone.items():
            assert torch.allclose(together[name][part], value, atol=1e-4), name


def test_measure_says_what_each_metric_says() -> None:
    x, y = noise(0), noise(1, 0.05)
    measured, nyquist = metrics.measure(x, y, CUTOFF, RATE), torch.full((2,), RATE / 2)
    alone = {
        "lsd": metrics.lsd(x, y),
        "lsd_hf": metrics.lsd_band(x, y, CUTOFF, nyquist, RATE),
        "lsd_hf_audible": metrics.lsd_hf_audible(x, y, CUTOFF, RATE),
        "lsd_lf": metrics.lsd_band(x, y, CUTOFF * 0 - 1, CUTOFF, RATE),
        "level_hf_db": metrics.level_hf_db(x, y, CUTOFF, RATE),
        "energy_hf_db": metrics.energy_hf_db(x, y, CUTOFF, RATE),
        "onset_hf_db": metrics.onset_hf_db(x, y, CUTOFF, RATE),
        "si_sdr": metrics.si_sdr(x, y),
        "snr": metrics.snr(x, y),
        "correlation": metrics.correlation(x, y),
        "rmse": metrics.rmse(x, y),
        "mel_l1": metrics.mel_l1(x, y, RATE),
        "mel_l2": metrics.mel_l2(x, y, RATE),
    }
    assert set(measured) == set(alone)
    for name, value in alone.items():
        assert torch.allclose(measured[name], value, rtol=1e-5, atol=1e-6), name


def test_channels_are_measured_apart_and_averaged() -> None:
    x, y = torch.cat([noise(0), noise(2, 0.3)], 1), torch.cat([noise(1), noise(3, 0.01)], 1)
    both = metrics.measure(x, y, CUTOFF, RATE)
    for name in ("lsd", "lsd_hf", "level_hf_db", "si_sdr", "snr", "correlation", "rmse", "mel_l1"):
        each = [metrics.measure(x[:, [c]], y[:, [c]], CUTOFF, RATE)[name] for c in (0, 1)]
        assert torch.allclose(both[name], (each[0] + each[1]) / 2, rtol=1e-4, atol=1e-4), name


def test_known_ratios_and_their_limits() -> None:
    reference, silence = noise(0), torch.zeros(2, 1, 40_000)
    for ratio in (metrics.snr, metrics.si_sdr):
        assert ratio(reference, reference) == pytest.approx([120.0] * 2)
        assert ratio(silence, silence) == pytest.approx([120.0] * 2)
        assert ratio(reference, silence) == pytest.approx([-120.0] * 2)
    assert metrics.snr(0.9 * reference, reference) == pytest.approx([20.0] * 2, abs=1e-3)
    assert bool((metrics.si_sdr(0.9 * reference, reference) > 100).all())
    assert metrics.correlation(reference, silence) == pytest.approx([0.0] * 2)


def test_every_figure_is_finite_for_equal_and_for_silent_signals() -> None:
    for output, reference in (
        (noise(0), noise(0)),
        (noise(0), 0 * noise(0)),
        (0 * noise(0), noise(0)),
        (0 * noise(0), 0 * noise(0)),
        (noise(0, n=700), noise(1, n=700)),
    ):
        for name, value in metrics.measure(output, reference, CUTOFF, RATE).items():
            assert value.shape == (2,) and bool(value.isfinite().all()), name


def test_what_lies_above_a_references_own_edge_is_not_judged_there() -> None:
    reference = degrade(noise(0), [LowPassFilter("butterworth", 10, hz) for hz in (12_000, 22_050)], RATE)
    output = noise(0)
    edge_hz = torch.tensor([11_000.0, 22_050.0])
    whole, own = (metrics.measure(output, reference, CUTOFF, RATE, edge) for edge in (None, edge_hz))
    assert float(whole["lsd_hf"][0]) > 2 and float(own["lsd_hf"][0]) < 0.3
    assert float(own["energy_hf_db"][0]) == pytest.approx(0, abs=0.3)
    for name in ("lsd_hf", "lsd_hf_audible", "energy_hf_db", "level_hf_db"):
        assert float(own[name][1]) == float(whole[name][1])
    assert all(torch.equal(own[name], whole[name]) for name in ("lsd", "lsd_lf", "mel_l1", "si_sdr"))


def test_distance_by_octaves_of_sines() -> None:
    """A sine is in three bins of a Hann spectrum; all others are at the floor in both signals."""
    reference, output = tones(0.01, 0.001), tones(0.1, 0.01 * 10**0.5)  # louder by 20 dB, and by 30
    found = metrics.lsd_octaves(output, reference, RATE)
    assert list(found) == [62.5, 125, 250, 500, 1000, 2000, 4000, 8000, 16_000]  # up to Nyquist
    hz = np.arange(1025) * RATE / 2048
    for centre, value in found.items():
        bels = {2000: 2.0, 16_000: 3.0}.get(centre, 0.0)  # bins 100 and 600
        bins = np.count_nonzero((hz > centre / 2**0.5) & (hz <= centre * 2**0.5))
        assert float(value) == pytest.approx(bels * math.sqrt(3 / bins), abs=2e-3)
    assert list(metrics.lsd_octaves(output, reference, 8000)) == [62.5, 125, 250, 500, 1000, 2000, 4000]
