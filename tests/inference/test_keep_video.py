"""Films whose sound is replaced, and whose picture is not touched."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import pytest
from films import CLICK_S, click, click_s, packets, times_s, write_film

from saga_sr import load
from saga_sr.core.errors import AudioError, ConfigError
from saga_sr.core.version import __version__
from saga_sr.files.film import Film
from saga_sr.files.reading import inspect_audio
from saga_sr.files.writing import write_audio
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.jobs import plan_files

ENCODINGS = {"mp4": "aac", "mov": "aac", "mkv": "flac", "webm": "opus"}


@pytest.fixture(scope="module")
def enhancer(package: Path) -> Enhancer:
    return load(package)


def kept(enhancer: Enhancer, film: Path, target: Path, **settings: object) -> tuple[str, ...]:
    return enhancer.file(film, target, keep_video=True, cutoff_hz=4000, steps=1, **settings).notes


@pytest.mark.parametrize(("source", "target"), [
    ("mp4", "mp4"), ("mp4", "mkv"), ("mkv", "mp4"), ("mkv", "mkv"), ("mov", "mov"), ("webm", "webm"), ("webm", "mkv"),
    ("mp4", "mov"), ("avi", "mkv"), ("mp4", "m4v"),
])  # fmt: skip
@pytest.mark.parametrize(("sound_s", "picture_s"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.4)])
def test_the_picture_is_the_same_and_the_sound_where_it_was(
    enhancer: Enhancer, tmp_path: Path, source: str, target: str, sound_s: float, picture_s: float
) -> None:
    if source == "avi" and (sound_s or picture_s):
        pytest.skip("AVI has no beginnings of its own")
    film = write_film(tmp_path / f"film.{source}", sound_s=sound_s, picture_s=picture_s)
    result = tmp_path / f"result.{target}"
    assert kept(enhancer, film, result) == ()
    assert packets(result) == packets(film)
    assert times_s(result) == pytest.approx(times_s(film), abs=0.00051)
    assert click_s(result) == pytest.approx(click_s(film), abs=0.00102)
    if source != "avi":  # which does not tell of the encoder's delay
        assert click_s(film) == pytest.approx(sound_s + CLICK_S, abs=0.00102)
    encoding = ENCODINGS[target.replace("m4v", "mp4")]
    assert inspect_audio(result).encoding.removeprefix("lib") == encoding
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_copies_of_copies_stay_in_time(enhancer: Enhancer, tmp_path: Path) -> None:
    for suffix in ("webm", "mp4", "mkv"):
        first = film = write_film(tmp_path / f"0.{suffix}", sound_s=0.3)
        for i in range(1, 4):
            kept(enhancer, film, tmp_path / f"{i}.{suffix}")
            film = tmp_path / f"{i}.{suffix}"
        assert click_s(film) == pytest.approx(click_s(first), abs=0.00102) and packets(film) == packets(first)


def test_subtitles_chapters_texts_and_other_sound_go_along(enhancer: Enhancer, tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", streams=2, subtitles=True, texts={"title": "Ünï", "artist": "Me"})
    assert kept(enhancer, film, tmp_path / "b.mkv", stream=2) == ()
    assert packets(tmp_path / "b.mkv", "subtitles") == [b"Hello"]
    assert packets(tmp_path / "b.mkv", "audio") == packets(film, "audio")  # the first stream, which was not chosen
    assert click_s(tmp_path / "b.mkv", 1) == pytest.approx(CLICK_S + 0.1, abs=0.001)
    with av.open(str(tmp_path / "b.mkv")) as result:
        kinds = ["video", "audio", "audio", "subtitle"]
        assert [stream.type for stream in result.streams] == kinds and result.streams[2].codec_context.name == "flac"
        assert [stream.metadata.get("language") for stream in result.streams.audio] == ["deu", "fra"]
        assert result.metadata["title"] == "Ünï" and result.metadata["ARTIST"] == "Me"
        assert [chapter["metadata"]["title"] for chapter in result.chapters()] == ["Part 0", "Part 1"]
        assert result.streams[2].metadata["ENCODER"].startswith(f"saga-sr {__version__}")
    (note,) = kept(enhancer, film, tmp_path / "b.mp4", stream=1, tags=False)
    assert "a stream of subtitle (subrip) that MP4 cannot hold, and that is left out" in note
    with av.open(str(tmp_path / "b.mp4")) as result:
        assert "title" not in result.metadata and "encoder" not in result.metadata and len(result.chapters()) == 2


def test_a_picture_stays_turned_and_a_cover_a_cover(enhancer: Enhancer, tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4")
    data = film.read_bytes()
    straight = struct.pack(">9i", 65_536, 0, 0, 0, 65_536, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", 0, 65_536, 0, -65_536, 0, 0, 0, 0, 1 << 30)
    place = data.index(straight, data.index(b"tkhd"))
    film.write_bytes(data[:place] + turned + data[place + 36 :])
    with av.open(str(film), "r") as opened, av.open(str(tmp_path / "b.mp4"), "w") as covered:
        cover = covered.add_stream("png")
        cover.width = cover.height = 16
        cover.pix_fmt = "rgb24"
        cover.disposition = 1024
        copies = {stream: covered.add_stream_from_template(stream) for stream in [*opened.streams][:2]}
        covered.mux(cover.encode(av.VideoFrame(16, 16, "rgb24")))
        for packet in opened.demux([*copies]):
            if packet.size:
                packet.stream = copies[packet.stream]
                covered.mux(packet)
    for target in ("c.mp4", "c.mkv"):
        kept(enhancer, tmp_path / "b.mp4", tmp_path / target)
        with av.open(str(tmp_path / target)) as result:
            pictures = sorted(result.streams.video, key=lambda stream: stream.disposition & 1024)
            assert len(pictures) == 2 and pictures[1].disposition & 1024 and pictures[1].codec_context.name == "png"
            assert abs(next(result.decode(pictures[0])).rotation) == 90


@pytest.mark.parametrize(("source", "target", "said"), [
    ("sound.flac", "b.mp4", r"sound\.flac holds no picture; leave keep_video= out"),
    ("film.webm", "b.mp4", r"picture in vp8, which MP4 cannot hold; give the result the suffix \.mkv"),
    ("film.webm", "b.mov", r"picture in vp8, which MOV cannot hold"),
    ("film.mp4", "b.webm", r"picture in h264, which WebM cannot hold"),
    ("film.mp4", "b.flac", r"b\.flac cannot be written with keep_video=true.* suffixes \.mp4, \.m4v, "),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_a_sentence_before_anything_is_written(
    enhancer: Enhancer, tmp_path: Path, source: str, target: str, said: str
) -> None:
    if source.startswith("sound"):
        import torch

        write_audio(tmp_path / source, torch.from_numpy(click()), 48_000)
    else:
        write_film(tmp_path / source)
    with pytest.raises(AudioError, match=said):
        kept(enhancer, tmp_path / source, tmp_path / target)
    assert [path.name for path in tmp_path.iterdir()] == [source]


def test_a_picture_of_an_unknown_kind_is_refused(enhancer: Enhancer, tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv")
    film.write_bytes(film.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/XXX"))
    with pytest.raises(AudioError, match="picture in an unknown kind, which MKV cannot hold; convert it first"):
        kept(enhancer, film, tmp_path / "b.mkv")


def test_a_film_is_only_written_where_its_picture_is_kept(enhancer: Enhancer, tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4")
    with pytest.raises(AudioError, match=r"b\.mp4 cannot be written without keep_video=true: choose .*\.wav"):
        enhancer.file(film, tmp_path / "b.mp4")


def test_nothing_is_left_and_little_is_done_where_it_ends_early(
    enhancer: Enhancer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = write_film(tmp_path / "a.mp4")
    copied = []
    monkeypatch.setattr(Film, "copy", lambda *_: copied.append(1))
    with pytest.raises(ZeroDivisionError):
        kept(enhancer, film, tmp_path / "b.mp4", chunk_s=0.5, overlap_s=0, progress=lambda *_: 1 // 0)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"] and len(copied) <= 3


def test_films_of_a_folder_keep_their_suffixes(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.avi", "c/d.WebM", "e.m4v", "f.mp3"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()

    def names(suffix: str | None, pictures: bool) -> set[str]:
        plan = plan_files([tmp_path / "in"], tmp_path / "out", suffix, pictures=pictures)
        return {str(job.target.relative_to(tmp_path / "out")) for job in plan.jobs}

    assert names(None, True) == {"a.mp4", "b.mkv", "c/d.webm", "e.m4v", "f.mkv"}
    assert names("mov", True) == {"a.mov", "b.mov", "c/d.mov", "e.mov", "f.mov"}
    assert names(None, False) == {"a.flac", "b.flac", "c/d.flac", "e.flac", "f.flac"}
    with pytest.raises(
        ConfigError, match="format='wav' holds no picture, which keep_video= asks for; choose one of mp4"
    ):
        names("wav", True)
    with pytest.raises(ConfigError, match="format='mp4' is not known"):
        names("mp4", False)
