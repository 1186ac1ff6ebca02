from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from saga_sr.audio.spectrogram_columns import COLUMNS, SpectrogramColumns

RATE = 44_100


def columns(audio: Tensor, blocks: list[int] | None = None, rate: int = RATE) -> Tensor:
    made = SpectrogramColumns(rate, audio.shape[-1], audio.shape[0])
    sizes = blocks or [audio.shape[-1]]
    for block in audio.split([*sizes, audio.shape[-1] - sum(sizes)], dim=-1):
        made.add(block)
    return made.finish()


def sine(hz: float, seconds: float, rate: int = RATE) -> Tensor:
    return torch.sin(torch.arange(int(seconds * rate), dtype=torch.float64)[None] * (2 * math.pi * hz / rate)).float()


@pytest.mark.parametrize("rate", [8000, 44_100, 96_000])
def test_a_sine_at_full_scale_stands_at_0_db_at_its_frequency(rate: int) -> None:
    level = columns(sine(1000, 2.0, rate), rate=rate)[0, 10:-10]
    at = level.argmax(dim=-1) * (rate / 2 / (level.shape[-1] - 1))
    assert at.tolist() == pytest.approx([1000] * len(at), abs=15)
    assert level.max(dim=-1).values.tolist() == pytest.approx([0] * len(level), abs=1.5)


def test_a_long_recording_is_as_wide_as_a_short_one_and_its_parts_stand_in_their_place() -> None:
    audio = torch.cat([sine(1000, 20), sine(8000, 20)], dim=-1)
    level = columns(audio)[0]
    assert level.shape == (COLUMNS, 1025)
    bins = [round(hz / (RATE / 2048)) for hz in (1000, 8000)]
    first, second = level[2 : COLUMNS // 2 - 2][:, bins], level[COLUMNS // 2 + 2 : -2][:, bins]
    assert float((first[:, 0] - first[:, 1]).min()) > 60 and float((second[:, 1] - second[:, 0]).min()) > 60


@pytest.mark.parametrize("samples", [1, 511, 512, 2048, 700_001])
def test_every_column_is_filled_whatever_the_length(samples: int) -> None:
    level = columns(0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(0)))
    assert level.shape[0] == 2 and level.shape[1] <= COLUMNS
    assert float(level.max(dim=-1).values.min()) > -120


def test_silence_is_far_below() -> None:
    assert float(columns(torch.zeros(1, 5000)).max()) < -150


@settings(max_examples=10, deadline=None)
@given(blocks=st.lists(st.integers(0, 20_000), max_size=8))
def test_blocks_are_the_whole(blocks: list[int]) -> None:
    audio = torch.randn(2, 200_000, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(columns(audio, blocks), columns(audio), atol=1e-2)
