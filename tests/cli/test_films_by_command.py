"""Films on the command line: one, and folders of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from films import click_s, packets, write_film
from programs import program

pytestmark = pytest.mark.slow


def test_a_film_and_a_folder_of_films_keep_their_pictures(package: Path, tmp_path: Path) -> None:
    films = [write_film(tmp_path / f"in/{name}") for name in made(tmp_path / "in", "a.mp4", "b.webm")]
    (tmp_path / "in/c.mkv").write_bytes(b"no film")
    settings = [f"model={package}", "keep_video=true", "cutoff_hz=4000", "steps=1"]
    one = program("-m", "saga_sr", "enhance", str(films[0]), str(tmp_path / "one.mp4"), *settings)
    assert one.returncode == 0 and packets(tmp_path / "one.mp4") == packets(films[0]), one.stderr
    planned = program("-m", "saga_sr", "enhance", str(tmp_path / "in"), f"{tmp_path}/out/", *settings, "dry_run=true")
    assert "a.mp4 -> " in planned.stdout and "out/b.webm" in planned.stdout and not (tmp_path / "out").exists()
    batch = program("-m", "saga_sr", "enhance", str(tmp_path / "in"), f"{tmp_path}/out/", *settings, "jobs=2", spares=2)
    assert batch.returncode == 1 and "2 of 3 files" in batch.stderr and "c.mkv cannot be read" in batch.stderr
    for film in films:
        assert packets(tmp_path / "out" / film.name) == packets(film)
        assert click_s(tmp_path / "out" / film.name) == pytest.approx(click_s(film), abs=0.00102)
    assert (tmp_path / "out/a.mp4").read_bytes() == (tmp_path / "one.mp4").read_bytes()
    again = program("-m", "saga_sr", "enhance", str(tmp_path / "in"), f"{tmp_path}/out/", *settings)
    assert "0 of 3 files, 2 there already" in again.stderr


def test_what_is_not_possible_is_said_before_the_model_is_read(package: Path, tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4")
    for words, said in (
        ([str(tmp_path / "b.mp4")], "b.mp4 cannot be written without keep_video=true"),
        ([str(tmp_path / "b.wav"), "keep_video=true"], "b.wav cannot be written with keep_video=true"),
        ([f"{tmp_path}/out/", "keep_video=true", "format=wav"], "format='wav' holds no picture"),
        ([f"{tmp_path}/out/", "format=mp3", "bits=16"], "MP3 stores no samples that could have bits=16"),
        ([f"{tmp_path}/out/", "bitrate=128"], "FLAC takes no bitrate=128"),
    ):
        done = program("-m", "saga_sr", "enhance", str(film), *words, f"model={package}")
        assert done.returncode == 1 and said in done.stderr and len(done.stderr.splitlines()) == 1
    planned = program(
        "-m", "saga_sr", "enhance", str(film), str(tmp_path / "b.webm"), f"model={package}", "keep_video=true",
        "dry_run=true",
    )  # fmt: skip
    assert planned.returncode == 1 and "picture in h264, which WebM cannot hold" in planned.stderr


def made(folder: Path, *names: str) -> tuple[str, ...]:
    folder.mkdir()
    return names
