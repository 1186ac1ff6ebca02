from __future__ import annotations

import numpy as np
import pytest
import torch

from saga_sr.audio.edges import content_edge_hz
from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import seeded
from saga_sr.degradations.cheap_resampling import METHODS, CheapResampling, interpolated

RATE = 44_100
RATES = [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000]


def noise(*shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def tone(hz: float, rate: int, length: int) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hz / rate * torch.arange(length, dtype=torch.float64)).float()[None]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rate", RATES)
def test_resampled_sound_is_aligned_and_ends_at_its_edge(method: str, rate: int) -> None:
    audio = noise(1, 2 * RATE)
    degradation = CheapResampling(method, [rate], RATE)
    resampled, edge_hz = degradation.degrade_clip(audio, np.random.default_rng(0))
    assert resampled.shape == audio.shape
    spectra = torch.fft.rfft(torch.cat([audio, resampled]), 4 * RATE)
    assert int(torch.fft.irfft(spectra[1] * spectra[0].conj()).argmax()) == 0
    shown = degradation(audio[None], seeded([0]))
    assert float(shown.cutoff_hz) == pytest.approx(edge_hz)
    # Images are cut off; what measures edges would take them for content.
    heard = resampled if method == "decimated" else shown.lr[0]
    assert content_edge_hz(heard, RATE) == pytest.approx(edge_hz, rel=0.04)


def level(audio: torch.Tensor, hz: float) -> float:
    """Amplitude of the tone of `hz` in audio [1, time], away from its ends."""
    inner = audio[0, 2048:-2048].double()
    window = torch.hann_window(len(inner), dtype=torch.float64)
    carrier = torch.exp(-2j * torch.pi * hz / RATE * torch.arange(len(inner), dtype=torch.float64))
    return float(2 * (inner * window * carrier).sum().abs() / window.sum())


def test_decimation_folds_what_is_above_nyquist() -> None:
    folded, _ = CheapResampling("decimated", [22_050], RATE).degrade_clip(
        tone(13_000, RATE, RATE), np.random.default_rng(0)
    )
    assert level(folded, 22_050 - 13_000) == pytest.approx(1, abs=0.01) and level(folded, 13_000) < 0.01


def test_linear_interpolation_leaves_an_image_and_sinks() -> None:
    audio, _ = CheapResampling("linear", [22_050], RATE).degrade_clip(tone(9000, RATE, RATE), np.random.default_rng(0))
    assert level(audio, 9000) == pytest.approx(np.cos(np.pi * 9000 / RATE) ** 2, abs=0.01)
    assert level(audio, 22_050 - 9000) == pytest.approx(np.sin(np.pi * 9000 / RATE) ** 2, abs=0.01)


@pytest.mark.parametrize("nearest", [False, True])
def test_interpolation_is_that_of_numpy(nearest: bool) -> None:
    audio = noise(1, 100)
    ours = interpolated(audio, 3, 7, 230, nearest)[0].numpy()
    at = np.arange(230) * 3 / 7
    expected = (
        audio[0].numpy()[np.minimum(np.rint(at).astype(int), 99)]
        if nearest
        else np.interp(at, np.arange(100), audio[0].numpy())
    )
    assert np.allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize("settings", [{"method": "cubic"}, {"rates": []}, {"rates": [RATE]}, {"rates": [0]}])
def test_impossible_settings_are_refused(settings: dict) -> None:
    with pytest.raises(ConfigError):
        CheapResampling(**({"method": "linear", "rates": [8000], "sample_rate": RATE} | settings))
