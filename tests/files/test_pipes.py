"""Recordings that come through named pipes."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

import pytest
import torch
from media import encoded, music

from saga_sr import load
from saga_sr.core.errors import AudioError
from saga_sr.files.metadata import Metadata
from saga_sr.files.reading import AudioReader, read_audio
from saga_sr.files.tagging import read_metadata
from saga_sr.files.writing import AudioWriter
from saga_sr.inference.measurement import measure_file

RATE = 44_100


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def pipe(path: Path, content: bytes) -> Path:
    """A pipe through which `content` comes once."""
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=(content,), daemon=True).start()
    return path


def recording(path: Path) -> Path:
    with AudioWriter(path, RATE, 1) as writer:
        writer.write(0.1 * torch.randn(1, 30_000, generator=torch.Generator().manual_seed(0)))
        writer.metadata = Metadata(RATE, {"TITLE": ["Mine"]})
    return path


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "m4a"])
def test_what_comes_through_a_pipe_is_read_like_a_file(tmp_path: Path, temporary: Path, kind: str) -> None:
    content = encoded(music(2, RATE, RATE), RATE, kind, 128_000)
    (tmp_path / "file").write_bytes(content)
    expected, _ = read_audio(tmp_path / "file")
    with AudioReader(pipe(tmp_path / "pipe", content)) as reader:
        assert torch.equal(reader.read(0, reader.info.frames), expected)
        assert torch.equal(reader.read(100, 900), expected[:, 100:1000])
        assert reader.info.path == tmp_path / "pipe"
    assert not [*temporary.iterdir()]


def test_what_cannot_be_read_is_told_by_the_name_of_the_pipe(tmp_path: Path, temporary: Path) -> None:
    with pytest.raises(AudioError, match=f"Nothing came through the pipe {tmp_path}/empty; see to the command"):
        AudioReader(pipe(tmp_path / "empty", b""))
    with pytest.raises(AudioError, match=f"^{tmp_path}/rubbish cannot be read as audio"):
        AudioReader(pipe(tmp_path / "rubbish", b"rubbish" * 1000))
    assert not [*temporary.iterdir()]


def test_a_pipe_is_enhanced_and_measured_like_a_file(package: Path, tmp_path: Path, temporary: Path) -> None:
    content = recording(tmp_path / "in.flac").read_bytes()
    enhancer = load(package)
    for source in (tmp_path / "in.flac", pipe(tmp_path / "pipe", content)):
        enhancer.file(source, tmp_path / f"{source.name}.wav", cutoff_hz=4000, steps=1)
    assert (tmp_path / "pipe.wav").read_bytes() == (tmp_path / "in.flac.wav").read_bytes()
    assert read_metadata(tmp_path / "pipe.wav", RATE).texts["TITLE"] == ["Mine"]
    with pytest.raises(AudioError, match=f"^{tmp_path}/sound holds no picture"):
        enhancer.file(pipe(tmp_path / "sound", content), tmp_path / "film.mp4", keep_video=True)
    measured = measure_file(pipe(tmp_path / "again", content))
    assert measured.info.path == tmp_path / "again" and measured.info.frames == 30_000
    assert not [*temporary.iterdir()]
