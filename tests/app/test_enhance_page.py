"""The page Enhance, in a browser, with the bundled model."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from media import encoded, music
from running_app import Visit

import saga_sr

pytestmark = pytest.mark.slow

LENGTH_S = 2


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MP3 of which nothing is left above some 5 kHz."""
    path = tmp_path_factory.mktemp("songs") / "an old song.mp3"
    path.write_bytes(encoded(music(2, LENGTH_S * 11_025, 11_025), 11_025, "mp3", 64_000))
    return path


def test_from_the_start_to_a_saved_result_in_four_clicks(
    visits: Callable[..., Visit],
    song: Path,
    tmp_path: Path,
) -> None:
    visit = visits()
    visit.add(song)  # the first click, or none where it is dropped
    visit.see(re.compile(r"content to 5\.\d kHz"))
    visit.press("Enhance")
    visit.see(re.compile("done in .* × real time"))
    saved = visit.saved("Save", tmp_path)
    assert saved.name == "an old song.mp3"
    saga_sr.load().file(song, tmp_path / "by Python.mp3")
    assert saved.read_bytes() == (tmp_path / "by Python.mp3").read_bytes()
