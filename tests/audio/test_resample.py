from __future__ import annotations

import math

import pytest
import torch

from saga_sr.audio.resample import resample


def tone(hz: float, rate: int, seconds: float = 0.5) -> torch.Tensor:
    return torch.sin(2 * math.pi * hz * torch.arange(int(seconds * rate), dtype=torch.float64) / rate).float()


@pytest.mark.parametrize(("from_hz", "to_hz"), [(48_000, 44_100), (8000, 44_100), (44_100, 16_000), (22_050, 44_100)])
def test_a_tone_keeps_pitch_and_level(from_hz: int, to_hz: int) -> None:
    changed, expected = resample(tone(1000, from_hz), from_hz, to_hz), tone(1000, to_hz)
    inner = slice(to_hz // 20, -to_hz // 20)
    assert changed.shape == expected.shape
    assert (changed[inner] - expected[inner]).abs().max() < 1e-3


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
