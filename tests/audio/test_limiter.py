from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saga_sr.audio.limiter import LOOK_AHEAD_S, Limiter

RATE = 44_100


def limited(audio: torch.Tensor, cuts: list[int]) -> torch.Tensor:
    limiter = Limiter(RATE)
    *blocks, last = torch.tensor_split(audio, cuts, dim=1)
    return torch.cat([*(limiter.push(block) for block in blocks), limiter.push(last, last=True)], dim=1)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 99),
    length=st.integers(1, 30_000),
    gain=st.floats(0.05, 8),
    cuts=st.lists(st.integers(0, 30_000), max_size=6),
)
def test_nothing_exceeds_full_scale_and_blocks_change_nothing(
    seed: int, length: int, gain: float, cuts: list[int]
) -> None:
    audio = gain * torch.randn(2, length, generator=torch.Generator().manual_seed(seed))
    whole = limited(audio, [])
    assert whole.shape == audio.shape and whole.abs().max() <= 1
    assert torch.equal(limited(audio, sorted(cuts)), whole)


def test_what_is_far_from_a_peak_stays_bit_for_bit_and_channels_keep_their_balance() -> None:
    audio = 0.1 * torch.randn(2, 2 * RATE, generator=torch.Generator().manual_seed(0))
    audio[0, RATE : RATE + 30] *= 100
    output = limited(audio, [])
    changed = (output != audio).any(dim=0).nonzero()
    first, last = (int(place) / RATE for place in (changed[0], changed[-1]))
    assert 1 - LOOK_AHEAD_S <= first < 1 and 1.2 < last < 1.3
    gain = output / audio
    assert (gain[0] - gain[1]).abs().max() < 1e-5 and gain.min() < 0.3
    # 20 dB within 10 ms is 2 dB in one.
    assert (20 * torch.log10(gain[0])).diff().abs().max() * RATE / 1000 < 6


@pytest.mark.parametrize("hz", [10, 50, 440, 5000])
def test_a_steady_tone_is_turned_down_without_distortion(hz: float) -> None:
    tone = torch.sin(2 * torch.pi * hz * torch.arange(2 * RATE, dtype=torch.float64) / RATE)
    inner = slice(RATE // 2, -RATE // 2)
    output, tone = limited(3 * tone[None], [])[0, inner], tone[inner]
    gain = output @ tone / (tone @ tone)
    assert float(gain) == pytest.approx(1, abs=1e-3)
    assert 20 * torch.log10((output - gain * tone).norm() / output.norm()) < -60
