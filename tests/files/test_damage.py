"""Damaged files: what can be decoded is where it belongs, the rest is silent, and it is told where."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from media import encoded, music

from saga_sr.core.errors import AudioError
from saga_sr.files.damage import Damage
from saga_sr.files.reading import AudioReader, read_audio

RATE, SECONDS = 44_100, 8


def file_of(kind: str) -> bytes:
    if kind == "ogg":
        file = io.BytesIO()
        soundfile.write(file, music(2, SECONDS * RATE, RATE).T, RATE, format="OGG", subtype="VORBIS")
        return file.getvalue()
    rate = 48_000 if kind in ("opus", "opus.mka", "webm") else RATE
    return encoded(music(2, SECONDS * rate, rate), rate, kind, 128_000)


def damaged(data: bytes, place: float, count: int) -> bytes:
    """`data` with `count` wrong bytes from `place` of it on."""
    begin = int(len(data) * place)
    wrong = np.random.default_rng(7).integers(0, 256, count, np.uint8).tobytes()
    return data[:begin] + wrong + data[begin + count :]


KINDS = ("ac3", "flac", "flac.mka", "m4a", "mp2", "mp3", "mp4", "ogg", "opus", "opus.mka", "webm", "wma")


@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_wrong_bytes_is_where_it_was(tmp_path: Path, kind: str) -> None:
    data = file_of(kind)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.write_bytes(data)
    broken.write_bytes(damaged(data, 0.5, 1000))
    expected, rate = read_audio(whole)
    with AudioReader(broken, flawless=False) as reader:
        audio = reader.read(0, reader.info.frames)
        note = reader.notes[-1]
    assert audio.shape == expected.shape
    # Noise that AAC draws, and dither, go on otherwise behind a packet that was not decoded.
    for part in (slice(0, 3 * rate), slice(5 * rate + 5000, 8 * rate)):
        assert (audio[:, part] - expected[:, part]).square().mean() < 5e-3 * expected.square().mean()
    assert note.startswith(f"{broken} is damaged at 0:00:0")
    assert 3.0 < float(re.findall(r"0:00:(\d\d\.\d{3})", note)[0]) < 4.6
    with pytest.raises(AudioError, match="is damaged at 0:00:0"), AudioReader(broken, strict=True) as reader:
        reader.read(0, reader.info.frames)
    with AudioReader(broken) as reader:
        assert torch.equal(reader.read(0, 3 * rate), audio[:, : 3 * rate])
        with pytest.raises(AudioError, match="is damaged at 0:00:0"):
            reader.read(3 * rate, 2 * rate)
    with AudioReader(whole, strict=True) as reader:
        assert torch.equal(reader.read(0, reader.info.frames), expected)


@pytest.mark.parametrize("kind", ["aiff", "au", "flac", "flac.mka", "mp3", "w64", "wav"])
def test_what_there_is_of_a_file_that_breaks_off_is_read_and_told(tmp_path: Path, kind: str) -> None:
    data = file_of(kind)
    path = tmp_path / "a"
    path.write_bytes(data)
    expected, rate = read_audio(path)
    path.write_bytes(data[: len(data) * 6 // 10])
    with AudioReader(path, flawless=False) as reader:
        audio = reader.read(0, reader.info.frames)
        note = reader.notes[-1]
    assert 4.5 < audio.shape[1] / rate < 5
    sure = audio.shape[1] - 5000
    assert torch.equal(audio[:, :sure], expected[:, :sure])
    assert "breaks off 0:00:03." in note
    with pytest.raises(AudioError, match="breaks off"):
        AudioReader(path, strict=True)


def test_a_gap_in_the_time_stamps_is_silence(tmp_path: Path) -> None:
    import av

    data = io.BytesIO(file_of("webm"))
    with av.open(data) as source, av.open(str(tmp_path / "a.webm"), "w") as target:
        sound = source.streams.audio[0]
        copy = target.add_stream_from_template(sound)
        for packet in source.demux(sound):
            if packet.size and not 3 <= packet.pts * packet.time_base < 4:
                packet.stream = copy
                target.mux(packet)
    with AudioReader(tmp_path / "a.webm", flawless=False) as reader:
        audio = reader.read(0, reader.info.frames)
        assert abs(reader.info.duration_s - SECONDS) < 0.03
        assert not audio[:, int(3.1 * 48_000) : int(3.9 * 48_000)].any()
        assert "1.02 s in all" in reader.notes[-1]


def test_damage_says_where_and_how_much() -> None:
    damage = Damage(1000)
    assert not damage
    for first in (0, 900, 5000, 3_700_000, 4_000_000):
        damage.add(first, 50)
    assert str(damage) == (
        "is damaged at 0:00:00.000, 0:00:05.000, 1:01:40.000 and 1 more places "
        "(1.10 s in all; what cannot be decoded is silent)"
    )
    assert str(Damage(1000, missing_s=61)) == "breaks off 0:01:01.000 before the end that its header tells"
