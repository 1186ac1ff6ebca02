from __future__ import annotations

import math

import pytest
import torch
from torchaudio.functional import resample as torchaudio_resample

from saga_sr.audio.resample import BETA, ROLLOFF, ZERO_CROSSINGS, resample


def tone(hz: float, rate: int, seconds: float = 0.5) -> torch.Tensor:
    return torch.sin(2 * math.pi * hz * torch.arange(int(seconds * rate), dtype=torch.float64) / rate).float()


@pytest.mark.parametrize(("from_hz", "to_hz"), [(48_000, 44_100), (8000, 44_100), (44_100, 16_000), (22_050, 44_100)])
def test_a_tone_keeps_pitch_and_level(from_hz: int, to_hz: int) -> None:
    changed, expected = resample(tone(1000, from_hz), from_hz, to_hz), tone(1000, to_hz)
    inner = slice(to_hz // 20, -to_hz // 20)
    assert changed.shape == expected.shape
    assert (changed[inner] - expected[inner]).abs().max() < 1e-3


# Rates that share a large factor, a small one and next to none; up, down and by a whole number.
RATES = [(48_000, 44_100), (8000, 44_100), (44_100, 16_000), (22_050, 44_100), (3, 1), (192_000, 44_100), (1000, 999)]


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_the_result_is_torchaudios(from_hz: int, to_hz: int) -> None:
    audio = torch.randn(2, 1, 5003, generator=torch.Generator().manual_seed(0))
    expected = torchaudio_resample(audio.double(), from_hz, to_hz, ZERO_CROSSINGS, ROLLOFF, "sinc_interp_kaiser", BETA)
    assert resample(audio, from_hz, to_hz).shape == expected.shape
    assert (resample(audio, from_hz, to_hz) - expected).abs().max() < 1e-5
    assert (resample(audio.double(), from_hz, to_hz) - expected).abs().max() < 1e-6


@pytest.mark.parametrize(("from_hz", "to_hz"), [*RATES, (44_101, 48_000)])
@pytest.mark.parametrize("length", [1, 2, 49, 160, 161])
def test_the_length_is_exact(from_hz: int, to_hz: int, length: int) -> None:
    changed = resample(torch.ones(length), from_hz, to_hz)
    assert changed.shape == (math.ceil(length * to_hz / from_hz),) and changed.isfinite().all()


def test_nothing_aliases() -> None:
    inner = slice(2000, -2000)
    assert resample(tone(15_000, 44_100), 44_100, 16_000)[inner].abs().max() < 1e-4


def test_equal_rates_are_left_alone() -> None:
    audio = torch.randn(2, 100)
    assert resample(audio, 44_100, 44_100) is audio


@pytest.mark.parametrize(("from_hz", "to_hz"), [(44_100, 44_099), (44_101, 48_000)])
def test_rates_that_share_no_factor_keep_a_tone(from_hz: int, to_hz: int) -> None:
    changed, expected = resample(tone(17_000, from_hz), from_hz, to_hz), tone(17_000, to_hz)
    inner = slice(to_hz // 20, -to_hz // 20)
    assert changed.dtype == torch.float32
    assert (changed[: len(expected)][inner] - expected[: len(changed)][inner]).abs().max() < 1e-3


def test_there_and_back_again() -> None:
    audio = tone(440, 44_100) + tone(15_000, 44_100)
    back = resample(resample(audio, 44_100, 48_000), 48_000, 44_100)
    inner = slice(2000, -2000)
    assert back.shape == audio.shape
    assert (back - audio)[inner].abs().max() < 1e-3
