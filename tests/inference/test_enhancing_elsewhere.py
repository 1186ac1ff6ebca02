"""Recordings and results in object storage, by any address."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from fsspec import filesystem
from object_storage import BUCKET, forget_clients, object_storage
from recordings import sound

import saga_sr
from saga_sr.cli import enhance, measure
from saga_sr.cli.command import configured, read
from saga_sr.core import storage
from saga_sr.core.errors import AudioError, ConfigError, PackageError, SagaError, UsageError
from saga_sr.core.storage import shared, write_whole
from saga_sr.inference import enhancer as enhancer_module
from saga_sr.inference import restoring
from saga_sr.inference.inputs import find_inputs
from saga_sr.inference.record import Record
from saga_sr.inference.run import run

pytest.importorskip("upath")
RATE = 8000
# WAV and FLAC, which are read in stretches elsewhere, MP3, and what is no recording.
NAMES = ("a [1].wav", "deep/b.flac", "deep/c.mp3")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    for seed, name in enumerate(NAMES):
        (folder / name).parent.mkdir(exist_ok=True)
        with soundfile.SoundFile(folder / name, "w", RATE, 1) as file:
            file.title = f"Song {seed}"  # results have it, too
            file.write(sound(seed, RATE // 2, 1, RATE))
    (folder / "notes.txt").write_text("of them")
    (folder / ".hidden.wav").write_text("passed over")
    return folder


@pytest.fixture
def store(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """What is in object storage, by address: the recordings at first. Nothing may stay of what is made on the way."""
    memory = filesystem("memory")
    memory.store.clear()
    memory.put(f"{folder}/", "/music/", recursive=True)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    yield Store(memory)
    assert not [*(tmp_path / "temporary").iterdir()]


class Store(dict[str, bytes]):
    """A view of a file system of fsspec's."""

    def __init__(self, memory: Any) -> None:
        self.memory = memory

    def below(self, name: str) -> dict[str, bytes]:
        """The files below a folder that are not hidden, by name."""
        found = (path.removeprefix(f"/{name}/") for path in self.memory.find(f"/{name}"))
        return {path: self.memory.cat_file(f"/{name}/{path}") for path in found if not path.startswith(".")}


@pytest.fixture
def asked(package: Path, caplog: pytest.LogCaptureFixture) -> Callable[..., list[str]]:
    """Runs `saga-sr enhance` with words, and tells which results were made."""

    def run_it(*words: str) -> list[str]:
        caplog.clear()
        caplog.set_level(logging.INFO)
        run(configured(enhance.COMMAND, read(enhance.COMMAND, [*words, f"model={package}", "steps=1"])))
        lines = [record.getMessage() for record in caplog.records if " -> " in record.getMessage()]
        return sorted(line.split(" -> ")[1].split(" (")[0] for line in lines)

    return run_it


def here(folder: Path) -> dict[str, bytes]:
    """What is in a folder, but for what is hidden."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_results_are_the_same_bytes_wherever_recordings_and_results_are(
    store: Store, asked: Callable[..., list[str]], folder: Path, tmp_path: Path
) -> None:
    asked(str(folder), f"output={tmp_path}/out")
    wanted = here(tmp_path / "out")
    assert [*wanted] and len(wanted) == len(NAMES)
    made = asked("memory://music", "output=memory://out", "manifest=memory://notes/run.json")
    assert made == sorted(f"memory://out/{name}" for name in wanted)
    asked("memory://music/", f"output={tmp_path}/fetched")
    asked(f"input={folder}", "output=memory://sent/")
    assert store.below("out") == here(tmp_path / "fetched") == store.below("sent") == wanted
    files = json.loads(store.memory.cat_file("/notes/run.json"))["files"]
    assert [(file["input"], file["status"]) for file in files] == [(f"memory://music/{name}", "done") for name in NAMES]


def test_a_batch_elsewhere_goes_on_where_it_was(
    store: Store, asked: Callable[..., list[str]], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["memory://music", "output=memory://out"]
    put = storage.put_in_place

    def broken(file: Path, path: Path) -> None:
        if path.name == "b.flac":
            raise OSError(None, "The connection was lost")
        put(file, path)

    monkeypatch.setattr(storage, "put_in_place", broken)
    with pytest.raises(
        AudioError, match=r"1 of 3 files .*memory://out/deep/b\.flac cannot be written \(The connection"
    ):
        asked(*words)
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    assert {*store.below("out")} == {"a [1].flac", "deep/c.flac"}
    assert asked(*words) == ["memory://out/deep/b.flac"]
    assert asked(*words) == []
    # What holds something else, what is gone, and what is asked for.
    store.memory.put_file(str(folder / NAMES[1]), f"/music/{NAMES[2]}")
    store.memory.rm_file("/out/deep/b.flac")
    assert asked(*words) == ["memory://out/deep/b.flac", "memory://out/deep/c.flac"]
    assert asked(*words, "overwrite=newer") == []
    assert len(asked(*words, "overwrite=always")) == 3
    assert len(asked(*words, "bits=16")) == 3
    assert {*Record.read("memory://out").made} == {*store.below("out")}


def test_results_beside_their_recordings_are_not_taken_for_recordings(
    store: Store, asked: Callable[..., list[str]]
) -> None:
    words = ["memory://music", "output=memory://music", "name={stem} restored.{ext}"]
    assert len(asked(*words)) == 3
    assert asked(*words) == []
    with pytest.raises(ConfigError, match=r"memory://music/deep/b\.flac would be overwritten by its own result"):
        asked("memory://music", "output=memory://music", "overwrite=always")
    assert len(asked("memory://music/deep", "output=memory://music/deep/new")) == 4
    assert len(find_inputs(["memory://music"], without=shared("memory://music/deep/new")).found) == 6
    assert len(find_inputs(["memory://music/deep/new"], without=shared("memory://music/deep")).found) == 4


def test_one_file_patterns_and_lists(store: Store, folder: Path, tmp_path: Path) -> None:
    def found(*words: str) -> dict[str, str]:
        inputs = find_inputs(words)
        assert not inputs.failures
        return {str(place): str(path) for path, place in inputs.found}

    assert found("memory://music/a [1].wav") == {"a [1].wav": "memory://music/a [1].wav"}
    assert found("memory://music/**/*.flac") == {"deep/b.flac": "memory://music/deep/b.flac"}
    assert {*found("memory://music/*")} == {"a [1].wav", "deep/b.flac", "deep/c.mp3"}
    store.memory.pipe_file("/list.txt", f"# mine\n\nmusic/deep/*.mp3\nmusic/a [1].wav\n{folder}/deep/b.flac\n".encode())
    assert found("@memory://list.txt") == {
        "music/deep/c.mp3": "memory://music/deep/c.mp3",
        "music/a [1].wav": "memory://music/a [1].wav",
        "b.flac": f"{folder}/deep/b.flac",
    }
    (tmp_path / "list.txt").write_text("memory://music/deep\n")
    assert {*found(f"@{tmp_path}/list.txt")} == {"b.flac", "c.mp3"}
    inputs = find_inputs(["memory://gone.wav", "memory://music/*.ogg", "memory://music", "@memory://gone.txt"])
    assert inputs.failures == [
        "There is no file or folder memory://gone.wav; check the name.",
        "Nothing matches memory://music/*.ogg; check the pattern.",
        "The list memory://gone.txt cannot be read (No such file or directory); give a text file of paths.",
    ]
    assert inputs.remark == "Passed over 1 files that are no recordings by their suffixes: 1 .txt."


def test_files_from_and_to_elsewhere_by_the_command_line_and_by_python(
    store: Store, asked: Callable[..., list[str]], package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked("memory://music/deep/b.flac", "memory://one/b.wav") == ["memory://one/b.wav"]
    assert asked("memory://music/deep/b.flac", f"{tmp_path}/b.wav") == [f"{tmp_path}/b.wav"]
    with pytest.raises(SagaError, match=r"memory://one/b\.wav is there already"):
        asked("memory://music/deep/b.flac", "memory://one/b.wav")
    enhancer = saga_sr.load(package)
    done = enhancer.file("memory://music/deep/b.flac", "memory://by/python.wav", steps=1)
    assert str(done.source) == "memory://music/deep/b.flac" and str(done.target) == "memory://by/python.wav"
    assert store.below("by")["python.wav"] == store.below("one")["b.wav"] == (tmp_path / "b.wav").read_bytes()
    asked("memory://music", "memory://planned/", "dry_run=true")
    assert "memory://music/deep/c.mp3 -> memory://planned/deep/c.flac (0:00.5" in capsys.readouterr().out
    assert not store.below("planned")


def test_one_bad_file_is_told_by_its_address(store: Store, asked: Callable[..., list[str]]) -> None:
    store.memory.pipe_file("/music/bad.mp3", b"nothing")
    with pytest.raises(AudioError, match=r"1 of 4 files could not be enhanced: memory://music/bad\.mp3 cannot be read"):
        asked("memory://music", "output=memory://out")
    assert len(store.below("out")) == 3
    with pytest.raises(ConfigError, match=r"nosuch://a cannot be reached .* pip install 'saga-sr\[s3\]'"):
        asked("nosuch://a", "output=memory://out")


def test_file_addresses_are_what_is_here(
    asked: Callable[..., list[str]], package: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert asked(f"file://{folder}/deep/b.flac", f"file://{out}/b.wav") == [f"{out}/b.wav"]
    assert len(asked(f"input=file://{folder}", f"output=file://{out}/all", f"manifest=file://{out}/run.json")) == 3
    assert {*here(out / "all")} == {"a [1].flac", "deep/b.flac", "deep/c.flac"} and (out / "run.json").is_file()
    (tmp_path / "list.txt").write_text(f"file://{folder}/deep/b.flac\nfile://{folder}/deep/*.mp3\n")
    assert len(asked(f"@file://{tmp_path}/list.txt", f"file://{folder}/*.wav", f"file://{out}/named/")) == 3
    assert {*here(out / "named")} == {"a [1].flac", "b.flac", "c.flac"}
    for word in (f"file://{folder}/gone.wav", f"@file://{folder}/gone.txt"):
        with pytest.raises(UsageError, match=rf"There is no .* {folder}/gone\."):
            asked(word, f"{out}/x/")
    # As lists of Hydra's grammar have them, and Python.
    with pytest.raises(ConfigError, match=rf"input={folder}/deep/\* is 2 files but output={out}/x.wav is one file"):
        asked(f"input=[file://{folder}/deep/*]", f"output={out}/x.wav")
    words = [f"file://{folder}/deep", f"file://{folder}/*.wav", f"@file://{tmp_path}/list.txt"]
    assert [path for path, _ in find_inputs(words).found] == [folder / name for name in (*NAMES[1:], NAMES[0])]
    enhancer = saga_sr.load(f"file://{package}")
    done = enhancer.file(f"file://{folder}/deep/b.flac", f"file://{out}/python.wav", steps=1)
    assert (done.source, done.target) == (folder / "deep/b.flac", out / "python.wav")
    assert (out / "python.wav").read_bytes() == (out / "b.wav").read_bytes()
    assert len(enhancer.folder(f"file://{folder}", f"file://{out}/folder", steps=1)) == 3


def test_folders_are_made_for_results_where_a_kind_of_address_has_them(
    asked: Callable[..., list[str]], folder: Path, tmp_path: Path
) -> None:
    out = f"local://{tmp_path}/out"
    assert asked(f"{folder}/deep/b.flac", f"{out}/new/b.flac") == [f"{out}/new/b.flac"]
    words = [f"local://{folder}", f"output={out}/all", f"manifest={out}/notes/run.json"]
    assert len(asked(*words)) == 3 and not asked(*words)
    made = here(tmp_path / "out/all")
    assert {name for name in made if ".saga-sr/" not in name} == {"a [1].flac", "deep/b.flac", "deep/c.flac"}
    assert made["deep/b.flac"] == (tmp_path / "out/new/b.flac").read_bytes()
    assert (tmp_path / "out/notes/run.json").is_file()


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is restored, nor measured."""

    def begun(*settings: Any) -> None:
        raise AssertionError("The work has begun.")

    monkeypatch.setattr(restoring, "load_enhancer", begun)
    monkeypatch.setattr(enhancer_module, "RestoredFile", begun)


def test_a_bucket_that_is_not_there_is_told_before_the_work_and_never_made(
    asked: Callable[..., list[str]], no_work: None, package: Path, folder: Path, tmp_path: Path
) -> None:
    source, gone = f"{folder}/deep/b.flac", r"cannot be written \(there is no s3://nobucket/\); check its address"
    with object_storage() as client:
        for words in (
            [source, "s3://nobucket/b.flac"],
            [source, "s3://nobucket/new/b.flac"],
            [str(folder), "output=s3://nobucket/out"],
            [str(folder), f"output={tmp_path}/out", "manifest=s3://nobucket/run.json"],
        ):
            with pytest.raises(AudioError, match=f"s3://nobucket/.* {gone}"):
                asked(*words)
        with pytest.raises(AudioError, match=f"s3://nobucket/b.flac {gone}"):
            saga_sr.load(package).file(source, "s3://nobucket/b.flac")
        with pytest.raises(AudioError, match=f"s3://nobucket/a.json {gone}"):
            measure.run([source, "json=s3://nobucket/a.json"])
        # It may go meanwhile.
        for name in ("a", "new/deep/a"):
            for send in (lambda path: write_whole(path, b"a"), lambda path: storage.put_in_place(Path(source), path)):
                with pytest.raises(FileNotFoundError, match="The specified bucket does not exist"):
                    send(shared(f"s3://nobucket/{name}"))
        assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == [BUCKET]
        # What is there is not touched by the question.
        with pytest.raises(AssertionError, match="The work has begun"):
            asked(source, f"s3://{BUCKET}/new/b.flac")
        assert not client.list_objects_v2(Bucket=BUCKET, Prefix="new/").get("Contents")


def test_whoever_is_nobody_to_object_storage_is_told_so_at_once(
    asked: Callable[..., list[str]], no_work: None, package: Path, folder: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    # Nobody is asked: neither the machine's own service nor the storage, of which there is none at that port.
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    source, nobody = f"{folder}/deep/b.flac", r"\(Unable to locate credentials\)"
    forget_clients()
    try:
        for words, said in {
            (source, "s3://sounds/b.flac"): "output=s3://sounds/b.flac cannot be looked into {}; check its address",
            (source, "output=s3://sounds/b.flac"): "s3://sounds/b.flac cannot be written {}; check its address",
            (source, "output=s3://sounds/out"): "s3://sounds/out cannot be written {}; check its address",
            ("s3://sounds/a.flac", f"{tmp_path}/a.flac"): "s3://sounds/a.flac cannot be looked into {}; check its",
        }.items():
            with pytest.raises(SagaError, match=said.format(nobody)):
                asked(*words)
        with pytest.raises(AudioError, match=f"s3://sounds/b.flac cannot be written {nobody}"):
            saga_sr.load(package).file(source, "s3://sounds/b.flac")
        with pytest.raises(PackageError, match=f"s3://sounds/model cannot be fetched {nobody}"):
            saga_sr.load("s3://sounds/model")
    finally:
        forget_clients()
