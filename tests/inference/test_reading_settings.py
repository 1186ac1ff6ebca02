"""Which stream of a file is enhanced, and what becomes of damaged files."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from media import encoded, music

from saga_sr import load
from saga_sr.core.errors import AudioError
from saga_sr.files.reading import read_audio
from saga_sr.inference.enhancer import Enhancer

RATE = 44_100


@pytest.fixture(scope="module")
def enhancer(package: Path) -> Enhancer:
    return load(package)


def test_a_damaged_file_is_enhanced_and_the_place_is_told_once(
    enhancer: Enhancer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = encoded(music(1, 3 * RATE, RATE), RATE, "mp3", 64_000)
    path = tmp_path / "a.mp3"
    path.write_bytes(data[:12_000] + bytes(500) + data[12_500:])
    with caplog.at_level(logging.WARNING):
        done = enhancer.file(path, tmp_path / "out.wav")
    assert read_audio(tmp_path / "out.wav")[0].shape[1] == 3 * RATE
    (note,) = [note for note in done.notes if "is damaged at" in note]
    assert note.startswith(f"{path} is damaged at 0:00:01.") and caplog.text.count("is damaged at") == 1
    with pytest.raises(AudioError, match="is damaged at"):
        enhancer.file(path, tmp_path / "strict.wav", strict=True)
    assert not (tmp_path / "strict.wav").exists()


def test_the_sound_of_a_film_is_enhanced_of_the_stream_that_is_chosen(enhancer: Enhancer, tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    film.write_bytes(encoded(music(2, RATE, RATE), RATE, "flac.mka", picture=True, streams=2))
    first = enhancer.file(film, tmp_path / "1.wav", cutoff_hz=4000)
    second = enhancer.file(film, tmp_path / "2.wav", cutoff_hz=4000, stream=2)
    assert any("2 streams of audio" in note for note in first.notes)
    assert not any("streams of audio" in note for note in second.notes)
    # The second stream is half as loud, and what is as loud as half becomes half as loud.
    loud, soft = read_audio(tmp_path / "1.wav")[0], read_audio(tmp_path / "2.wav")[0]
    assert torch.allclose(soft, loud / 2, atol=1e-3)
    with pytest.raises(AudioError, match="no audio stream 3"):
        enhancer.file(film, tmp_path / "3.wav", stream=3)
