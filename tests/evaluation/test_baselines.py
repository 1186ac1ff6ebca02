from __future__ import annotations

import pytest
import torch

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.spectrum import stft
from saga_sr.evaluation.baselines import band_replication, unchanged
from saga_sr.evaluation.metrics import lsd_band
from saga_sr.synthesis.dataset import SyntheticAudio

RATE = 44_100


@pytest.mark.parametrize("cutoff", [2000.0, 4000.0, 8000.0, 16_000.0])
def test_replication_fills_the_high_band_and_keeps_the_low_one(cutoff: float) -> None:
    reference = torch.stack([SyntheticAudio(8, 44_100)[i]["hr"] for i in range(8)])
    cutoffs, nyquist = torch.full((8,), cutoff), torch.full((8,), RATE / 2)
    lr = degrade(reference, [LowPassFilter("chebyshev1", 8, cutoff)] * 8, RATE)
    filled = band_replication(lr, cutoffs, RATE)
    assert torch.equal(unchanged(lr, cutoffs, RATE), lr)
    before, after = (lsd_band(x, reference, cutoffs, nyquist, RATE).mean() for x in (lr, filled))
    assert after < 0.75 * before
    low = int(0.88 * cutoff / RATE * 2048)
    difference = (stft(filled) - stft(lr))[:, :, :low].abs().square().sum() / stft(lr)[:, :, :low].abs().square().sum()
    assert difference < 1e-4
    assert torch.equal(filled, band_replication(lr, cutoffs, RATE))


def test_replication_extrapolates_the_tilt_of_noise() -> None:
    """Noise falling by a constant slope is continued at about its level."""
    n = 65_536
    spectrum = torch.fft.rfft(torch.randn(1, 1, n, generator=torch.Generator().manual_seed(0)))
    hz = torch.arange(n // 2 + 1) * RATE / n
    reference = torch.fft.irfft(spectrum * (hz.clamp(min=200) / 200) ** -1.5, n)
    lr = degrade(reference, [LowPassFilter("chebyshev1", 8, 4000)], RATE)
    filled = band_replication(lr, torch.tensor([4000.0]), RATE)
    band = slice(int(5000 / RATE * 2048), int(7000 / RATE * 2048))
    levels = [10 * stft(x)[0, 0, band].abs().square().mean().log10() for x in (filled, reference)]
    assert float(levels[0]) == pytest.approx(float(levels[1]), abs=2)


def test_a_cutoff_at_the_top_leaves_the_input() -> None:
    lr = 0.1 * torch.randn(1, 2, 20_000)
    assert torch.allclose(band_replication(lr, torch.tensor([22_050.0]), RATE), lr, atol=1e-5)
