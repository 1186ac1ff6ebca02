from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.spectrum import bandwidth_hz, istft, rolloff_hz, rolloffs_hz, stft
from saga_sr.core.errors import ConfigError

RATE = 44_100


def pink(n: int = 100_000, slope: float = 0.9, seed: int = 0) -> torch.Tensor:
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n))
    spectrum /= np.maximum(1, np.arange(len(spectrum)) * RATE / n / 200) ** slope
    audio = np.fft.irfft(spectrum, n)
    return torch.from_numpy((0.1 * audio / audio.std()).astype(np.float32))[None, None]


def test_stft_agrees_with_scipy() -> None:
    audio = torch.randn(8192, dtype=torch.float64)
    ours = stft(audio).abs()
    window = signal.get_window("hann", 2048)
    theirs = np.abs(np.stack([np.fft.rfft(window * audio.numpy()[i : i + 2048]) for i in range(0, 6145, 512)], 1))
    assert np.allclose(ours[:, 2:-2].numpy(), theirs, atol=1e-9)


@pytest.mark.parametrize("length", [100, 1023, 2048, 5000, 5121])
def test_istft_inverts_stft_at_any_length(length: int) -> None:
    audio = torch.randn(2, 3, length)
    assert torch.allclose(istft(stft(audio), length), audio, atol=1e-5)


@pytest.mark.parametrize("kind", ["magnitude", "power"])
def test_rolloff_agrees_with_its_definition_and_is_at_the_edge_of_a_band(kind: str) -> None:
    audio = torch.from_numpy(
        signal.sosfilt(signal.butter(12, 5000, fs=RATE, output="sos"), np.random.default_rng(0).standard_normal(60_000))
    ).float()[None, None]
    magnitude = stft(audio)[0, 0].abs().numpy()
    total = (magnitude**2 if kind == "power" else magnitude).sum(axis=1)
    expected = np.searchsorted(np.cumsum(total), 0.985 * total.sum()) * RATE / 2048
    assert float(rolloff_hz(audio, RATE, spectrum=kind)[0]) == pytest.approx(expected, abs=22)
    assert expected == pytest.approx(5000, rel=0.15)


def test_rolloff_of_silence_is_zero_and_batches_are_independent() -> None:
    batch = torch.cat([pink()[..., :8192], torch.zeros(1, 1, 8192)])
    rolloff = rolloff_hz(batch, RATE)
    assert rolloff[1] == 0 and rolloff[0] == rolloff_hz(batch[:1], RATE)[0]
    with pytest.raises(ConfigError, match="magnitude or power"):
        rolloff_hz(batch, RATE, spectrum="energy")


@pytest.mark.parametrize("kind", ["chebyshev1", "butterworth", "bessel", "elliptic"])
@pytest.mark.parametrize("cutoff", [2000, 4000, 8000, 16_000])
@pytest.mark.parametrize("dither", [0.0, 2**-16])
def test_bandwidth_is_found_within_ten_percent(kind: str, cutoff: float, dither: float) -> None:
    lr = degrade(pink(), [LowPassFilter(kind, 8, cutoff)], RATE)
    lr = lr + dither * torch.randn(lr.shape, generator=torch.Generator().manual_seed(0))
    assert float(bandwidth_hz(lr, RATE)[0]) == pytest.approx(cutoff, rel=0.1)


@pytest.mark.parametrize("slope", [0.3, 0.9, 1.6])
def test_full_band_recordings_are_full_band(slope: float) -> None:
    noisy = pink(slope=slope) + 1e-4 * torch.randn(1, 1, 100_000, generator=torch.Generator().manual_seed(0))
    assert float(bandwidth_hz(noisy, RATE)[0]) > 0.93 * RATE / 2


def test_a_click_does_not_make_a_recording_full_band() -> None:
    lr = degrade(pink(), [LowPassFilter("chebyshev1", 8, 4000)], RATE)
    lr[..., 50_000] += 0.5
    assert float(bandwidth_hz(lr, RATE)[0]) == pytest.approx(4000, rel=0.1)


def test_bandwidth_of_silence_and_of_a_bass_drum_is_a_frequency() -> None:
    t = torch.arange(40_000) / RATE
    drum = (torch.sin(2 * torch.pi * 60 * t) * torch.exp(-8 * t))[None, None]
    found = bandwidth_hz(torch.cat([torch.zeros_like(drum), drum]), RATE)
    assert bool((found > 0).all()) and bool((found <= RATE / 2).all())


@pytest.mark.parametrize("length", [700, 4096, 44_100])
def test_one_spectrogram_gives_the_same_rolloffs(length: int) -> None:
    audio = torch.cat(
        [pink()[..., :length], degrade(pink(), [LowPassFilter("chebyshev1", 8, 4000)], RATE)[..., :length]]
    )
    rolloffs = rolloffs_hz(audio, RATE)
    for i, spectrum in enumerate(("magnitude", "power")):
        assert torch.equal(rolloffs[:, i], rolloff_hz(audio, RATE, spectrum=spectrum))


def test_a_loud_click_hides_no_quiet_edge() -> None:
    lr = degrade(pink(), [LowPassFilter("chebyshev1", 8, 4000)], RATE)
    lr[..., 50_000] = 1e6
    assert float(bandwidth_hz(lr, RATE)[0]) == pytest.approx(4000, rel=0.1)
