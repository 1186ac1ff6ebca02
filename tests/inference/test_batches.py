"""What a folder of results knows: what is made again, what is kept, and what is said of what cannot be made."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from recordings import sound

from saga_sr.cli import enhance
from saga_sr.cli.command import configured, read
from saga_sr.core.errors import AudioError, ConfigError, DiskError
from saga_sr.inference import restoring
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.record import NAME, Content, Made, Recipe, Record
from saga_sr.inference.restored_file import RestoredFile
from saga_sr.inference.run import run

RATE = 8000


def record_sound(path: Path, seed: int = 0, seconds: float = 0.3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound(seed, int(seconds * RATE), 1, RATE), RATE)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(("a.wav", "b.wav", "deep/c.wav")):
        record_sound(tmp_path / "in" / name, seed)
    return tmp_path


@pytest.fixture
def asked(package: Path, folder: Path, caplog: pytest.LogCaptureFixture) -> Callable[..., list[str]]:
    """Runs `saga-sr enhance in out/ ...`, and tells which results were made."""

    def run_it(*words: str, source: str = "in", output: str = "out") -> list[str]:
        caplog.clear()
        caplog.set_level(logging.INFO)
        given = [f"input={folder / source}", f"output={folder / output}", f"model={package}", "steps=1", *words]
        given = [
            word for i, word in enumerate(given) if word.split("=")[0] not in [w.split("=")[0] for w in given[i + 1 :]]
        ]
        run(configured(enhance.COMMAND, read(enhance.COMMAND, given)))
        lines = [record.getMessage() for record in caplog.records if " -> " in record.getMessage()]
        return sorted(str(Path(line.split(" -> ")[1].split(" (")[0]).relative_to(folder / output)) for line in lines)

    return run_it


ALL = ["a.flac", "b.flac", "deep/c.flac"]


def test_a_finished_batch_does_nothing_and_loads_no_model(
    asked: Callable[..., list[str]], folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert asked() == ALL
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")}

    def forbidden(*_: Any) -> None:
        raise AssertionError("nothing is to be read or loaded")

    monkeypatch.setattr(restoring, "load_enhancer", forbidden)
    monkeypatch.setattr("saga_sr.inference.record.sha256_of", forbidden)
    monkeypatch.setattr("saga_sr.packages.finding.sha256_of", forbidden)
    assert asked() == []
    assert "0 of 3 files, 3 there already" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")} == before


def test_results_are_known_by_content_settings_and_model_and_not_by_name(
    asked: Callable[..., list[str]], folder: Path, package: Path
) -> None:
    assert asked() == ALL
    os.utime(folder / "in/a.wav")  # touched, but the same
    assert asked() == []
    record_sound(folder / "in/a.wav", seed=7)
    assert asked() == ["a.flac"]
    assert asked("seed=1") == ALL and asked("seed=1") == [] and asked() == ALL
    (folder / "out/b.flac").unlink()
    assert asked() == ["b.flac"]
    other = shutil.copytree(package, folder / "model")
    assert asked(f"model={other}") == []  # a copy is the same model
    config = (other / "config.yaml").read_text()
    (other / "config.yaml").write_text(config + "\n# changed\n")
    assert asked(f"model={other}") == ALL


def test_moved_recordings_are_the_same_and_others_of_their_name_are_not(
    asked: Callable[..., list[str]], folder: Path
) -> None:
    assert asked() == ALL
    shutil.copytree(folder / "in", folder / "moved")
    assert asked(source="moved") == []
    # Of the same length and time, as from an archive: only the content differs.
    other = record_sound(folder / "others/a.wav", seed=9)
    status = (folder / "moved/a.wav").stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert other.stat().st_size == status.st_size
    assert asked(source="others") == ["a.flac"]


def test_newer_and_always(asked: Callable[..., list[str]], folder: Path) -> None:
    assert asked() == ALL
    assert asked("overwrite=newer", "seed=1") == []
    os.utime(folder / "in/b.wav", ns=(2**62, 2**62))
    assert asked("overwrite=newer") == ["b.flac"]
    assert asked("overwrite=always") == ALL
    with pytest.raises(ConfigError, match="choose one of skip, newer, always"):
        asked("overwrite=yes")
    with pytest.raises(ConfigError, match="jobs=0 is not possible"):
        asked("jobs=0")


def test_results_beside_recordings_are_not_eaten(asked: Callable[..., list[str]], folder: Path) -> None:
    assert asked(output="in/results") == ALL
    assert asked(output="in/results") == []
    shutil.rmtree(folder / "in/results")
    assert asked(output="in") == ALL
    assert asked(output="in") == []
    record_sound(folder / "in/new.wav", 5)
    assert asked(output="in") == ["new.flac"]
    # A run that was killed between a result and its note has noted it when it began.
    lines = (folder / "in" / NAME).read_bytes().splitlines()
    (folder / "in" / NAME).write_bytes(b"\n".join(lines[:-1]) + b'\n{"output": "ne')
    assert asked(output="in") == ["new.flac"]


def test_a_file_to_a_file_is_replaced_and_nothing_is_kept_beside_it(
    asked: Callable[..., list[str]], folder: Path
) -> None:
    for _ in range(2):
        asked(source="in/a.wav", output="one.wav")
        assert sorted(path.name for path in folder.iterdir()) == ["in", "one.wav"]


def test_one_bad_file_never_ends_a_batch(
    asked: Callable[..., list[str]], folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad = os.fsdecode(b"not \xff text.wav")
    (folder / "in" / bad).write_bytes(b"RIFF nothing")
    for name in ("bug", "gone", "memory"):
        record_sound(folder / f"in/{name}.wav")
    (folder / "in/loop.wav").symlink_to("loop2.wav")
    (folder / "list.txt").write_text("in\nmissing.wav\nin/loop.wav")
    opened = Enhancer.open

    def sometimes(self: Enhancer, source: Path, **named: Any) -> Any:
        if source.stem == "gone":
            source.unlink()
        if source.stem == "memory":
            raise MemoryError
        if source.stem == "bug":
            raise ZeroDivisionError("one\ntwo")
        return opened(self, source, **named)

    monkeypatch.setattr(Enhancer, "open", sometimes)
    with pytest.raises(AudioError, match=r"6 of 9 files could not be enhanced: .*And 3 more, named above"):
        asked(f"manifest={folder}/run.json", f"input=@{folder}/list.txt")
    assert sorted(path.name for path in (folder / "out").rglob("*.flac")) == ["a.flac", "b.flac", "c.flac"]
    for said in ("missing.wav", "needs more memory", "ZeroDivisionError: one); please report", "There is no file"):
        assert said in caplog.text
    assert caplog.text.count("Traceback") == 1
    files = json.loads((folder / "run.json").read_text())["files"]
    assert sorted(entry["status"] for entry in files) == ["done"] * 3 + ["failed"] * 6


def test_the_manifest_tells_what_became_of_each_file(asked: Callable[..., list[str]], folder: Path) -> None:
    for status in ("done", "kept"):
        asked(f"manifest={folder}/new/run.json", "seed=3")
        manifest = json.loads((folder / "new/run.json").read_text())
        assert manifest["settings"]["seed"] == 3 and len(manifest["recipe"]["model"]) == 64
        (first, *_) = manifest["files"]
        assert first["status"] == status and first["output"] == str(folder / "out/a.flac")
        assert first["sha256"] == Content.of(folder / "in/a.wav").sha256
        assert first["duration_s"] == pytest.approx(0.3) and first["warnings"] == []
        assert first["edges"][0][0]["begin_s"] == 0 and 1000 < first["edges"][0][-1]["hz"] <= 22_050


def test_a_full_disk_ends_the_batch_with_one_sentence(
    asked: Callable[..., list[str]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Enhancer.save

    def until_full(self: Enhancer, opened: RestoredFile, target: Path) -> Any:
        if target.stem == "b":
            raise DiskError(f"{target} cannot be written (No space left on device); free some space.")
        return save(self, opened, target)

    monkeypatch.setattr(Enhancer, "save", until_full)
    with pytest.raises(AudioError, match=r"2 of 3 files .*No space left on device\); free some space\.$"):
        asked(f"manifest={folder}/run.json")
    statuses = [entry["status"] for entry in json.loads((folder / "run.json").read_text())["files"]]
    assert statuses == ["done", "failed", "not begun"]
    monkeypatch.undo()
    assert asked() == ["b.flac", "deep/c.flac"]


def test_a_dry_run_tells_all_and_writes_nothing(
    asked: Callable[..., list[str]], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked("dry_run=true", f"manifest={folder}/run.json")
    said = capsys.readouterr().out
    assert f"{folder}/in/deep/c.wav -> {folder}/out/deep/c.flac (0:00.3, " in said
    assert "3 files would be made, 0:00.9 of audio, about" in said and "x real time" in said
    assert sorted(path.name for path in folder.iterdir()) == ["in"]
    asked()
    before = (folder / "out" / NAME).read_bytes()
    os.utime(folder / "in/a.wav")
    asked("dry_run=true")
    assert "0 files would be made" in (said := capsys.readouterr().out) and "3 are there already" in said
    assert (folder / "out" / NAME).read_bytes() == before


def test_what_was_left_behind_is_removed(asked: Callable[..., list[str]], folder: Path) -> None:
    (folder / "out/deep").mkdir(parents=True)
    (folder / "out/deep/.saga-sr-dead.part").touch()
    asked()
    assert not [*folder.rglob("*.part")]


def test_a_record_is_read_whatever_it_holds(tmp_path: Path) -> None:
    made = Made(Content("/in/a.wav", 1, 2, "ab"), Recipe("s", "m"), 1.5, [[{"hz": 4000.0}]], ["odd"], "0.1")
    record = Record(tmp_path / "new")
    name = os.fsdecode(b"not \xff.flac")
    record.finish(record.folder / "sub" / name, made)
    with record.path.open("ab") as file:
        file.write(b'\n\xff\xfe\n[1]\n{"output": 3, "source": {}}\n{"no": 1}\n{"output": "half')
    again = Record.read(tmp_path / "new")
    assert again.made == {f"sub/{name}": made}
    again.begin(again.folder / "b.flac")  # after half a line
    third = Record.read(tmp_path / "new")
    assert {"b.flac", f"sub/{name}"} <= third.begun and third.made == again.made
    third.begin(third.folder / "sub" / name)
    assert Record.read(tmp_path / "new").made == {}


def test_a_record_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(DiskError, match="cannot be written"):
        Record(tmp_path / "out").begin(tmp_path / "out/a.flac")
