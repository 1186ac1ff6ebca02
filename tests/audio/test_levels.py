"""Levels, and the places that are clipped, above full scale, silent, or not finite: counted exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from saga_sr.audio.levels import LevelMeter, Levels, Places

RATE = 8000


def measured(audio: Tensor, encoding: str = "PCM_16", blocks: list[int] | None = None) -> list[Levels]:
    meter = LevelMeter(RATE, audio.shape[0], encoding)
    sizes = blocks or [audio.shape[-1]]
    for block in audio.split([*sizes, audio.shape[-1] - sum(sizes)], dim=-1):
        meter.add(block)
    return meter.finish()


def sine(amplitude: float, hz: float = 50.0, seconds: float = 1.0) -> Tensor:
    return (amplitude * torch.sin(torch.arange(int(seconds * RATE))[None] * (2 * math.pi * hz / RATE))).float()


def test_rms_peak_and_dc_are_those_of_a_known_signal() -> None:
    (levels,) = measured(0.25 + sine(0.5))
    assert levels.rms == pytest.approx(math.sqrt(0.25**2 + 0.5**2 / 2), rel=1e-5)
    assert levels.peak == pytest.approx(0.75, rel=1e-4) and levels.dc == pytest.approx(0.25, rel=1e-5)
    assert {*levels.places().values()} == {Places()}


def test_a_sine_of_twice_full_scale_is_clipped_at_each_half_wave() -> None:
    audio = sine(2.0, hz=50.0, seconds=0.5).clamp(-1, 1 - 2**-15)
    (levels,) = measured(audio)
    at = (audio[0] == -1) | (audio[0] == 1 - 2**-15)
    first = int(at.nonzero()[0])
    assert levels.clipped == Places(50, int(at.sum()), first / RATE)
    assert levels.above_full_scale == Places()
    # Kept in 24 bits, or as floats, it is as clipped as before.
    assert {measured(audio, encoding)[0].clipped for encoding in ("PCM_24", "FLOAT", "")} == {levels.clipped}


def test_a_peak_at_full_scale_is_not_clipped_and_three_equal_samples_are() -> None:
    audio = torch.zeros(1, 100)
    audio[0, 10:12] = 1  # two
    audio[0, 20:23] = torch.tensor([1.0, 1 - 2**-15, 1.0])  # not equal
    assert measured(audio)[0].clipped == Places()
    audio[0, 40:43], audio[0, 43:47] = 1, -1
    assert measured(audio)[0].clipped == Places(2, 7, 40 / RATE)


@pytest.mark.parametrize(
    ("encoding", "highest"),
    [("PCM_U8", 127 / 128), ("ULAW", 32124 / 32768), ("ALAW", 32256 / 32768), ("PCM_16", 32767 / 32768)],
)
def test_full_scale_is_what_the_file_can_hold(encoding: str, highest: float) -> None:
    audio = torch.zeros(1, 50)
    audio[0, 5:15] = highest
    assert measured(audio, encoding)[0].clipped == Places(1, 10, 5 / RATE)
    assert measured(0.99 * audio, encoding)[0].clipped == Places()


def test_floats_beyond_full_scale_are_above_it_and_not_clipped() -> None:
    audio = sine(3.0, hz=50, seconds=0.1)
    (levels,) = measured(audio, "FLOAT")
    beyond = audio[0].abs() > 1
    assert levels.clipped == Places() and levels.peak == pytest.approx(3.0, rel=1e-3)
    assert levels.above_full_scale == Places(10, int(beyond.sum()), int(beyond.nonzero()[0]) / RATE)


def test_silence_is_zeros_for_a_second() -> None:
    audio = torch.full((2, 4 * RATE), 0.1)
    audio[0, 100 : 100 + RATE], audio[0, 2 * RATE : 3 * RATE - 1] = 0, 0
    audio[1] = 0
    first, second = measured(audio)
    assert first.silence == Places(1, RATE, 100 / RATE)
    assert second.silence == Places(1, 4 * RATE, 0.0) and second.peak == 0


def test_what_is_not_finite_is_counted_and_else_a_zero() -> None:
    audio = sine(0.5)
    audio[0, 300:302], audio[0, 400] = float("nan"), -float("inf")
    (levels,) = measured(audio)
    assert levels.not_finite == Places(2, 3, 300 / RATE)
    assert levels.peak == pytest.approx(0.5, rel=1e-3) and levels.rms == pytest.approx(0.5 / math.sqrt(2), rel=1e-2)


def test_nothing_at_all_has_no_level() -> None:
    assert measured(torch.zeros(1, 0))[0] == measured(torch.zeros(1, 5))[0]


@settings(max_examples=40, deadline=None)
@given(blocks=st.lists(st.integers(0, 30), max_size=12), seed=st.integers(0, 1000))
def test_blocks_are_the_whole(blocks: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).choice([0, 1, 1, 1, -1, 1.5, np.nan, 0.25], (2, 400)).astype(np.float32)
    audio = torch.from_numpy(values)
    for in_blocks, whole in zip(measured(audio, blocks=blocks), measured(audio), strict=True):
        assert in_blocks.places() == whole.places() and in_blocks.peak == whole.peak
        assert in_blocks.rms == pytest.approx(whole.rms) and in_blocks.dc == pytest.approx(whole.dc)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000))
def test_places_are_those_that_a_plain_loop_finds(seed: int) -> None:
    values = np.random.default_rng(seed).choice([0, 1, 1, 1, -1], 300).astype(np.float32)
    runs, begin = [], 0
    for i in range(1, len(values) + 1):
        if i == len(values) or values[i] != values[begin]:
            if abs(values[begin]) == 1 and i - begin >= 3:
                runs.append((begin, i - begin))
            begin = i
    expected = Places(len(runs), sum(n for _, n in runs), runs[0][0] / RATE) if runs else Places()
    assert measured(torch.from_numpy(values)[None])[0].clipped == expected
