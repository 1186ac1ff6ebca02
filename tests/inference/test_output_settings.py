"""`rate=` and `bits=` of files, and suffixes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from saga_sr.audio.resample import resample
from saga_sr.core.errors import AudioError, ConfigError
from saga_sr.core.version import __version__
from saga_sr.files.iff_chunks import append_chunks
from saga_sr.files.metadata import Metadata, Point
from saga_sr.files.reading import inspect_audio, read_audio
from saga_sr.files.tagging import read_metadata
from saga_sr.files.writing import AudioWriter, write_audio
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.jobs import is_one_file, plan_files
from saga_sr.inference.output_rate import at_rate
from saga_sr.inference.settings import EnhanceSettings
from saga_sr.packages.package import load_package


@pytest.fixture(scope="module")
def enhancer(package: Path) -> Enhancer:
    return Enhancer(load_package(package))


@pytest.mark.parametrize(("from_hz", "to_hz"), [(44_100, 48_000), (44_100, 96_000), (48_000, 44_100), (44_100, 16_000)])
def test_a_rate_changed_block_by_block_is_that_of_the_whole(from_hz: int, to_hz: int) -> None:
    audio = torch.randn(2, 30_011, generator=torch.Generator().manual_seed(0))
    whole = resample(audio, from_hz, to_hz)
    for size in (1, 997, 30_011):
        blocks = audio.split(size, dim=1) if size > 1 else [audio[:, :1], audio[:, 1:]]
        parts = torch.cat([*at_rate(blocks, from_hz, to_hz, whole.shape[1])], dim=1)
        assert parts.shape == whole.shape and torch.allclose(parts, whole, atol=1e-5)


@pytest.mark.parametrize(("rate_in", "asked", "rate_out"), [(48_000, "keep", 48_000), (16_000, "keep", 44_100)])
@pytest.mark.parametrize("frames", [9001, 20_003])
def test_the_length_is_that_of_the_input_at_the_new_rate_and_nothing_is_late(
    enhancer: Enhancer, tmp_path: Path, rate_in: int, asked: str, rate_out: int, frames: int
) -> None:
    click = torch.zeros(1, frames)
    click[0, frames // 2] = 0.5
    click = resample(resample(click, rate_in, 8000), 8000, rate_in)[:, :frames]
    with AudioWriter(tmp_path / "in.wav", rate_in, 1, 16) as writer:
        writer.write(click)
    enhancer.file(tmp_path / "in.wav", tmp_path / "out.wav", rate=asked, bits="keep", cutoff_hz=4000, steps=1)
    info = inspect_audio(tmp_path / "out.wav")
    assert (info.sample_rate, info.bits) == (rate_out, 16)
    assert info.frames == -(-frames * rate_out // rate_in)
    low = resample(resample(read_audio(tmp_path / "out.wav")[0], rate_out, 8000), 8000, 48_000)
    there = int(low.abs().argmax()) / 48_000
    assert there == pytest.approx(frames // 2 / rate_in, abs=1e-4)


def test_a_file_has_a_known_suffix_and_a_folder_a_slash_or_none(tmp_path: Path) -> None:
    (tmp_path / "there.xyz").mkdir()
    assert is_one_file(tmp_path / "a.WAV") and is_one_file("a.aif")
    for folder in (f"{tmp_path}/new.v2/", tmp_path / "there.xyz", "enhanced", "take 1.wav/"):
        assert not is_one_file(folder)
    with pytest.raises(AudioError, match=r"a\.xyz cannot be written: choose one of the suffixes \.wav, .*/ for a"):
        is_one_file("a.xyz")


def test_a_suffix_that_cannot_be_written_is_never_a_folder(enhancer: Enhancer, tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav", 0.1 * torch.randn(1, 9000), 16_000)
    for call in (
        lambda: plan_files([tmp_path / "in.wav"], tmp_path / "x.xyz", "flac"),
        lambda: enhancer.file(tmp_path / "in.wav", tmp_path / "x.xyz"),
    ):
        with pytest.raises(AudioError, match=r"x\.xyz cannot be written: choose one of the suffixes"):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]
    assert plan_files([tmp_path / "in.wav"], f"{tmp_path}/x.xyz/", "wav").jobs[0].target == tmp_path / "x.xyz/in.wav"


@pytest.mark.parametrize("wrong", [{"rate": 100}, {"rate": "high"}, {"bits": 20}, {"bits": "int"}])
def test_settings_that_are_not_possible_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(wrong))}="):
        EnhanceSettings().changed(**wrong)


@pytest.mark.parametrize(("name", "asked"), [("x.mp3", {"bits": 16}), ("x.flac", {"bitrate": 128})])
def test_what_the_format_has_no_use_for_is_refused_before_anything_is_written(
    enhancer: Enhancer, tmp_path: Path, name: str, asked: dict[str, int]
) -> None:
    write_audio(tmp_path / "in.wav", 0.1 * torch.randn(1, 9000), 44_100)
    with pytest.raises(AudioError, match=f"{next(iter(asked))}="):
        enhancer.file(tmp_path / "in.wav", tmp_path / name, **asked)
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


def test_a_result_tells_what_its_input_told_and_what_made_it(enhancer: Enhancer, tmp_path: Path) -> None:
    with AudioWriter(tmp_path / "in.flac", 48_000, 1) as writer:
        writer.write(0.9 * torch.rand(1, 9600, generator=torch.Generator().manual_seed(0)))
        writer.metadata = Metadata(48_000, {"TITLE": ["Ünï"], "COMMENT": ["mine"]}, points=[Point(4800, "here")])
    enhancer.file(tmp_path / "in.flac", tmp_path / "out.mp3", cutoff_hz=8000)
    found = read_metadata(tmp_path / "out.mp3", 44_100)
    assert found.texts == {"TITLE": ["Ünï"], "COMMENT": ["mine"], "ENCODER": [f"saga-sr {__version__}"]}
    assert found.points == [Point(4410, "here")]
    enhancer.file(tmp_path / "in.flac", tmp_path / "out.mp3", tags=False)
    assert read_metadata(tmp_path / "out.mp3", 44_100) == Metadata(44_100)


def test_broken_tags_cost_one_warning(enhancer: Enhancer, tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav", 0.1 * torch.randn(1, 9000), 44_100)
    append_chunks(tmp_path / "in.wav", [(b"id3 ", b"ID3\x07\x00\x00rubbish")])
    done = enhancer.file(tmp_path / "in.wav", tmp_path / "out.wav")
    assert [note for note in done.notes if "tags that cannot be read" in note]
    assert inspect_audio(tmp_path / "out.wav").frames == 9000
