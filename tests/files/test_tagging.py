"""Tags, pictures, time stamps, points and loops over every pair of formats, and as others write and read them."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from pathlib import Path

import av
import pytest
import torch
from mutagen import id3

from saga_sr.files.iff_chunks import append_chunks, read_chunks
from saga_sr.files.metadata import BEXT, BEXT_BYTES, Loop, Metadata, Picture, Point
from saga_sr.files.output_formats import FORMATS
from saga_sr.files.reading import read_audio
from saga_sr.files.tagging import read_metadata, write_metadata
from saga_sr.files.writing import AudioWriter, write_audio

RATE = 48_000
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
    "0000000049454e44ae426082"
)
# M4A's chapters are a track of their own, which mutagen does not write.
POINTS = FORMATS.keys() - {"m4a"}


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of each format, without tags."""
    folder = tmp_path_factory.mktemp("silent")
    for name in FORMATS:
        write_audio(folder / f"a.{name}", 0.1 * torch.randn(2, 9600, generator=torch.Generator().manual_seed(0)), RATE)
    return folder


def generated(seed: int) -> Metadata:
    draw = random.Random(seed)

    def text() -> str:
        letters = "abc XYZ üñ語🎵'\"=;/&<>\\"
        return "".join(draw.choice(letters) for _ in range(draw.randint(1, 40))).strip() or "x"

    names = [
        "TITLE",
        "ARTIST",
        "ALBUM",
        "COMMENT",
        "GENRE",
        "LYRICS",
        "MY OWN",
        "REPLAYGAIN_TRACK_GAIN",
        "ISRC",
        "MOOD",
    ]
    texts = {name: [text()] for name in draw.sample(names, draw.randint(0, 6))}
    texts["TRACKNUMBER"] = [f"{draw.randint(1, 9)}/{draw.randint(10, 99)}"]
    texts["ARTIST"] = [text() for _ in range(draw.randint(1, 3))]
    points = [Point(480 * at, text()) for at in sorted(draw.sample(range(20), draw.randint(0, 5)))]
    loops = [Loop(draw.randint(0, 99), draw.randint(100, 9000))] if draw.random() < 0.5 else []
    bext = BEXT.pack(b"take", b"me", b"id", b"2001-02-03", b"04:05:06", draw.randint(0, 2**40)).ljust(BEXT_BYTES, b"\0")
    pictures = [Picture(PNG, "image/png", 3)] * draw.randint(0, 1)
    return Metadata(RATE, texts, pictures, points, loops, bext if draw.random() < 0.5 else None)


def through(silent: Path, folder: Path, name: str, metadata: Metadata) -> Metadata:
    path = folder / f"a.{name}"
    shutil.copy(silent / f"a.{name}", path)
    write_metadata(path, FORMATS[name].name, metadata)
    assert torch.equal(read_audio(path)[0], read_audio(silent / f"a.{name}")[0])
    return read_metadata(path, RATE).without_texts_for_wav()


@pytest.mark.parametrize("first", FORMATS)
@pytest.mark.parametrize("second", FORMATS)
def test_what_both_formats_can_hold_is_kept(silent: Path, tmp_path: Path, first: str, second: str) -> None:
    for seed in range(4):
        told = generated(seed)
        back = through(silent, tmp_path, second, through(silent, tmp_path, first, told))
        assert back.texts == told.texts
        assert back.pictures == told.pictures
        assert back.points == (told.points if {first, second} <= POINTS else [])
        assert back.loops == told.loops
        assert back.bext == told.bext


def test_positions_follow_the_rate_and_gains_the_level() -> None:
    told = generated(1)
    told = Metadata(RATE, {"REPLAYGAIN_TRACK_GAIN": ["1 dB"], "TIME_REFERENCE": ["96000"], "LOOPSTART": ["480"],
                           "LOOPLENGTH": ["960"]}, points=[Point(24_000, "x")])  # fmt: skip
    scaled = told.at_rate(44_100)
    assert scaled.points == [Point(22_050, "x")] and scaled.loops == [Loop(441, 1323)]
    assert scaled.with_texts_for_all().texts["TIME_REFERENCE"] == ["88200"]
    assert not told.at_another_level().texts.keys() & {"REPLAYGAIN_TRACK_GAIN"}


def test_chunks_of_other_programs_are_read(silent: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    shutil.copy(silent / "a.wav", path)
    cue = struct.pack("<I", 1) + struct.pack("<II4sIII", 7, 0, b"data", 0, 0, 1234)
    label = b"adtllabl" + struct.pack("<I", 7) + struct.pack("<I", 7) + b"hi\0\0"
    smpl = struct.pack("<9I", 0, 0, 20833, 60, 0, 0, 0, 1, 0) + struct.pack("<6I", 0, 0, 10, 99, 0, 0)
    append_chunks(path, [(b"cue ", cue), (b"LIST", label), (b"smpl", smpl), (b"iXML", b"<x/>")])
    found = read_metadata(path, RATE)
    assert found.points == [Point(1234, "hi")] and found.loops == [Loop(10, 100)]
    write_metadata(tmp_path / shutil.copy(silent / "a.wav", tmp_path / "b.wav"), "WAV", found)
    assert read_chunks(tmp_path / "b.wav")["iXML"] == [b"<x/>"]


@pytest.mark.parametrize("name", FORMATS)
def test_ffmpeg_reads_what_is_written(silent: Path, tmp_path: Path, name: str) -> None:
    through(silent, tmp_path, name, Metadata(RATE, {"TITLE": ["Ünï"], "ARTIST": ["X"], "ENCODER": ["saga-sr"]}))
    with av.open(str(tmp_path / f"a.{name}")) as container:
        told = {key.lower(): value for key, value in {**container.streams[0].metadata, **container.metadata}.items()}
    assert (told["title"], told["artist"]) == ("Ünï", "X") and "saga-sr" in told["encoder"]


def test_frames_that_only_id3_has_are_copied(silent: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    shutil.copy(silent / "a.mp3", path)
    tag = id3.ID3()
    tag.add(id3.POPM(email="me@x", rating=200, count=3))
    tag.save(path)
    assert through(silent, tmp_path, "wav", read_metadata(path, RATE)).own["id3"][0].rating == 200


def test_tags_that_a_format_cannot_hold_cost_no_file(tmp_path: Path) -> None:
    with AudioWriter(tmp_path / "a.wav", RATE, 1) as writer:
        writer.write(torch.zeros(1, 100))
        writer.metadata = Metadata(RATE, points=[Point(2**40)])
    assert read_audio(tmp_path / "a.wav")[0].shape == (1, 100)
    assert len(writer.notes) == 1 and "goes without tags" in writer.notes[0]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
def test_time_stamps_of_ffmpeg_are_read(silent: Path, tmp_path: Path) -> None:
    command = ["ffmpeg", "-v", "error", "-i", silent / "a.wav", "-write_bext", "1", "-metadata"]
    subprocess.run([*command, "time_reference=158760000", tmp_path / "b.wav"], check=True)
    found = read_metadata(tmp_path / "b.wav", RATE)
    assert through(silent, tmp_path, "flac", found).with_texts_for_all().texts["TIME_REFERENCE"] == ["158760000"]
