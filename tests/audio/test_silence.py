from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saga_sr.audio.silence import presence


@settings(max_examples=50, deadline=None)
@given(
    length=st.integers(1, 600),
    sounds=st.lists(st.integers(0, 599), max_size=4),
    first=st.integers(0, 300),
)
def test_nothing_is_present_ten_milliseconds_from_a_sound(length: int, sounds: list[int], first: int) -> None:
    rate = 8000
    audio = torch.zeros(2, length)
    sounds = [place for place in sounds if place < length]
    audio[1, sounds] = -1e-30
    weight = presence(audio, rate)
    assert weight.shape == audio.shape and not weight[0].any()
    for place in range(length):
        near = min((abs(place - sound) for sound in sounds), default=10**6)
        if near <= 40:
            assert weight[1, place] == 1
        else:
            assert (weight[1, place] > 0) == (near < 80)
    # Where silence lies next to what is not known, less is seen of it, not more.
    assert (presence(audio[:, first:], rate) <= weight[:, first:]).all()
