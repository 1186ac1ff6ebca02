from __future__ import annotations

import pytest

from saga_sr.audio.timecode import clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00.0"), (38.97, "0:38.9"), (59.99, "0:59.9"), (61.5, "1:01.5"), (3599.95, "59:59.9"), (3725.9, "1:02:05")],
)
def test_a_clock_shows_tenths_up_to_an_hour_and_never_what_lies_after(seconds: float, text: str) -> None:
    assert clock(seconds) == text
