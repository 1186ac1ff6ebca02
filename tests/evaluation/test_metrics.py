"""Each metric against a computation of its own, or on signals whose answer is known."""

from __future__ import annotations

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
    output, reference = noise(0), noise(1, 0.05)
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
    assert metrics.mel_l1(2 * reference, reference, RATE) == pytest.approx([20 * math.log10(2)] * 2, rel=1e-3)
    assert metrics.mel_l2(2 * reference, reference, RATE) == pytest.approx([20 * math.log10(2)] * 2, rel=1e-3)
    assert metrics.level_hf_db(2 * reference, reference, CUTOFF, RATE) == pytest.approx([6.02] * 2, abs=0.01)
    assert metrics.energy_hf_db(2 * reference, reference, CUTOFF, RATE) == pytest.approx([6.02] * 2, abs=0.01)
    assert metrics.correlation(-2 * reference, reference) == pytest.approx([-1.0] * 2, abs=1e-5)
    assert metrics.si_sdr(2 * reference + noise(1, 0.01), reference) == pytest.approx([46.0] * 2, abs=0.2)


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


def test_mel_distance_agrees_with_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    output, reference = noise(0), noise(1, 0.02)
    mels = [
        10
        * np.log10(
            librosa.feature.melspectrogram(
                y=x[0, 0].numpy(), sr=RATE, n_fft=2048, hop_length=512, n_mels=128, pad_mode="reflect"
            )
            + 1e-8
        )
        for x in (output, reference)
    ]
    assert float(metrics.mel_l1(output, reference, RATE)[0]) == pytest.approx(
        np.abs(mels[0] - mels[1]).mean(), rel=1e-3
    )
    assert float(metrics.mel_l2(output, reference, RATE)[0]) == pytest.approx(
        np.sqrt(((mels[0] - mels[1]) ** 2).mean()), rel=1e-3
    )


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
