from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from saga_sr.core.errors import AudioError
from saga_sr.files.finding import find_audio
from saga_sr.files.reading import AudioReader, inspect_audio, read_audio
from saga_sr.files.writing import AudioWriter


def tone(channels: int = 2, n: int = 5000, rate: int = 44_100) -> torch.Tensor:
    t = torch.arange(n) / rate
    return torch.stack([0.5 * torch.sin(2 * torch.pi * 440 * (i + 1) * t) for i in range(channels)])


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"), [(8000, 1, "PCM_U8"), (22_050, 3, "PCM_16"), (96_000, 2, "FLOAT")]
)
def test_any_rate_channels_and_depth_are_read(tmp_path: Path, rate: int, channels: int, subtype: str) -> None:
    audio = tone(channels, 3000, rate)
    soundfile.write(tmp_path / "a.wav", audio.T.numpy(), rate, subtype=subtype)
    info = inspect_audio(tmp_path / "a.wav")
    assert (info.sample_rate, info.channels, info.frames) == (rate, channels, 3000)
    assert info.duration_s == pytest.approx(3000 / rate)
    assert torch.allclose(read_audio(tmp_path / "a.wav")[0], audio, atol=0.01)


def test_blocks_equal_the_whole(tmp_path: Path) -> None:
    audio = tone(2, 200_000)
    with AudioWriter(tmp_path / "a.wav", 44_100, 2) as writer:
        for block in audio.split(33_333, dim=1):
            writer.write(block)
    with AudioReader(tmp_path / "a.wav") as reader:
        blocks = [reader.read(start, 70_000) for start in range(0, 200_000, 70_000)]
    assert torch.equal(torch.cat(blocks, dim=1), read_audio(tmp_path / "a.wav")[0])
    assert torch.equal(read_audio(tmp_path / "a.wav", 500, 10)[0], torch.cat(blocks, dim=1)[:, 500:510])


def bad_files(folder: Path) -> dict[str, Path]:
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("this is not audio " * 20)
    soundfile.write(folder / "zero.wav", np.zeros((0, 1)), 44_100)
    soundfile.write(folder / "nan.wav", np.full((1000, 1), np.nan), 44_100, subtype="FLOAT")
    (folder / "folder.wav").mkdir()
    return {p.stem: p for p in folder.iterdir()} | {"missing": folder / "missing.wav"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", "is empty"),
        ("text", "cannot be read as audio"),
        ("zero", "no audio samples"),
        ("nan", "NaN"),
        ("folder", "is a folder"),
        ("missing", "There is no file"),
    ],
)
def test_bad_files_are_named_with_reason_and_mend(tmp_path: Path, name: str, reason: str) -> None:
    path = bad_files(tmp_path)[name]
    with pytest.raises(AudioError, match=reason) as caught:
        read_audio(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and message.endswith(".")


@pytest.mark.parametrize(
    ("name", "subtype", "container", "encoding", "floats"),
    [
        ("a.wav", "PCM_16", "WAV", "PCM_16", False),
        ("a.wav", "FLOAT", "WAV", "FLOAT", True),
        ("a.flac", "PCM_24", "FLAC", "PCM_24", False),
        ("a.ogg", "VORBIS", "OGG", "VORBIS", False),
    ],
)
def test_the_header_tells_how_samples_are_held(
    tmp_path: Path, name: str, subtype: str, container: str, encoding: str, floats: bool
) -> None:
    soundfile.write(tmp_path / name, np.zeros((100, 1)), 44_100, subtype=subtype)
    info = inspect_audio(tmp_path / name)
    assert (info.container, info.encoding, info.floats) == (container, encoding, floats)


def test_finding_is_recursive_sorted_and_deaf_to_case(tmp_path: Path) -> None:
    for name in ("b.WAV", "sub/a.flac", "sub/.hidden.wav", ".cache/c.wav", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert find_audio(tmp_path) == [tmp_path / "b.WAV", tmp_path / "sub/a.flac"]
    with pytest.raises(AudioError, match="no audio files"):
        find_audio(_empty(tmp_path))
    with pytest.raises(AudioError, match="no folder"):
        find_audio(tmp_path / "missing")


def _empty(folder: Path) -> Path:
    (folder / "nothing").mkdir()
    return folder / "nothing"
