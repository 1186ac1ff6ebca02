from __future__ import annotations

import logging
from pathlib import Path

import pytest

from saga_sr.inference import display
from saga_sr.inference.display import Display
from saga_sr.inference.jobs import Job


def test_without_a_terminal_a_line_now_and_then_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = [100.0]
    monkeypatch.setattr(display.time, "perf_counter", lambda: clock[0])
    caplog.set_level(logging.INFO)
    first, second = Job(Path("a.wav"), Path("a.flac")), Job(Path("b.wav"), Path("b.flac"))
    with Display({first: 1000, second: 3000}) as shown:
        shown.begun(first)
        for seconds in (10, 20, 59):
            clock[0] = 100 + seconds
            shown.progress(first, float(seconds), 200.0)
        assert not caplog.records
        clock[0] = 160
        shown.progress(first, 100.0, 200.0)
        shown.progress(first, 101.0, 200.0)
        clock[0] = 180
        shown.progress(first, 200.0, 200.0)
        shown.ended(first)
        shown.begun(second)
        clock[0] = 220
        shown.progress(second, 400.0, 1200.0)
    # An eighth of all bytes in a minute; then a half in two.
    assert [record.getMessage() for record in caplog.records] == [
        "0 of 2 files, a.wav at 01:40 of 03:20, 1.67 x real time, 07:00 left",
        "1 of 2 files, b.wav at 06:40 of 20:00, 5 x real time, 02:00 left",
    ]
