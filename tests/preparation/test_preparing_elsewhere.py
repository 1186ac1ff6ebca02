"""Recordings and shards in object storage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import QUICK
from fsspec import filesystem
from object_storage import BUCKET, contents, object_storage, upload
from prepared import LENGTH, RATE, SETTINGS, of_training, prepared
from programs import program
from recordings import PREPARE, write_recordings

from saga_sr.cli.command import configured, read
from saga_sr.cli.prepare import COMMAND
from saga_sr.core.errors import AudioError, ConfigError, DataError
from saga_sr.core.storage import shared, to_path
from saga_sr.data.latents import LatentData
from saga_sr.data.recordings import find_recordings
from saga_sr.files.reading import read_audio
from saga_sr.preparation import part as parts
from saga_sr.preparation import run as preparation
from saga_sr.preparation.finish import finish, missing_parts
from saga_sr.preparation.plan import make_plan


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("recordings"), 7, 1)


@pytest.fixture
def memory(folder: Path) -> str:
    """The recordings at an address of fsspec's."""
    store = filesystem("memory")
    store.store.clear()
    store.put(f"{folder}/", "/music/", recursive=True)
    return "memory://music"


def here(output: Path) -> dict[str, bytes]:
    return {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}


def test_any_address_gives_the_bytes_that_a_folder_gives(
    folder: Path, memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(folder, tmp_path)
    output, made = shared("memory://shards"), list[str]()
    original: Any = parts._prepare
    monkeypatch.setattr(parts, "_prepare", lambda part, *more: (made.append(part), original(part, *more)))
    plan = make_plan(find_recordings(memory), None, None, SETTINGS, output, 3)
    for stopped in (2, None):
        for name in plan.parts[:stopped]:
            parts.prepare_part(name, output=output, settings=SETTINGS, device="cpu")
        assert missing_parts(output, plan) == ([] if stopped is None else plan.parts[2:])
    assert made == plan.parts
    finish(output, plan)
    store = filesystem("memory")
    elsewhere = {name.removeprefix("/shards/"): store.cat_file(name) for name in store.find("/shards")}
    assert of_training(elsewhere) == of_training(here(tmp_path)) and len(of_training(elsewhere)) > 5
    assert b"memory://music/bad.wav" in elsewhere["README.md"]
    read = [
        LatentData(
            place, shuffle_shards=2, groups=4, cache=str(tmp_path / "cache"), sample_rate=RATE, num_samples=LENGTH,
            channels=1, batch_size=2, epoch_size=8, validation_size=2, num_workers=0, seed=0,
        ).train_dataset()[3]["z_lr"]
        for place in ("memory://shards", str(tmp_path), f"file://{tmp_path}")
    ]  # fmt: skip
    assert read[0].equal(read[1]) and read[0].equal(read[2])


def test_recordings_elsewhere_are_read_in_stretches_and_what_is_wrong_is_answered(folder: Path, memory: str) -> None:
    found = find_recordings(memory)
    assert [str(path).removeprefix("memory://music") for path in found.files] == [
        str(path).removeprefix(str(folder)) for path in find_recordings(folder).files
    ]
    # FLAC, WAV, and MP3, which is copied.
    for path in found.files[1:4]:
        same = str(path).replace("memory://music", str(folder))
        ours, theirs = (read_audio(name, 1000, 5000)[0] for name in (path, same))
        assert ours.equal(theirs) and ours.shape[-1] == 5000
    manifest = to_path("memory://lists/a.txt")
    manifest.write_text(f"{found.files[1]}\n../music/set0/song2.mp3\n{folder}/set0/song0.flac\n")
    assert len(find_recordings("memory://lists/a.txt").files) == 3
    captions = found.captions(found.files)
    assert captions.at(found.files[1], 0.5) == f"song {found.files[1].stem[-1]}"
    with pytest.raises(AudioError, match=r"There is no file memory://music/gone\.wav"):
        read_audio("memory://music/gone.wav")
    with pytest.raises(AudioError, match="memory://nothing holds no audio files"):
        find_recordings("memory://nothing")
    with pytest.raises(ConfigError, match=r"nosuch://a cannot be reached .* or give a folder"):
        find_recordings("nosuch://a")
    with pytest.raises(DataError, match=r"memory://no/prepared\.json cannot be read"):
        LatentData("memory://no", 2, 4, sample_rate=RATE, num_samples=64, channels=1, batch_size=2, epoch_size=8,
                   validation_size=2, num_workers=0, seed=0).train_dataset()  # fmt: skip


@pytest.mark.slow
def test_stopped_while_it_prepares_from_s3_to_s3_it_goes_on_and_trains_from_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parts_done(work: Callable[[str], None], parts: Sequence[str], workers: int) -> None:
        for part in parts[:stopped]:
            work(part)

    def prepare(source: str | Path, output: str | Path) -> None:
        words = [*PREPARE[3:], f"data.path={source}", f"output={output}"]
        preparation.run(configured(COMMAND, read(COMMAND, words)))

    monkeypatch.setattr(preparation, "run_parts", parts_done)
    stopped: int | None = None
    prepare(folder, tmp_path / "out")
    with object_storage() as client:
        source, stopped = upload(client, folder, "music"), 2
        with pytest.raises(DataError, match="parts are not there; run the same command again"):
            prepare(source, f"s3://{BUCKET}/out")
        before = {name: found for name, found in contents(client, "out").items() if name.startswith("job/done")}
        assert len(before) == 2 and "prepared.json" not in contents(client, "out")
        stopped = None
        prepare(source, f"s3://{BUCKET}/out")
        after = contents(client, "out")
        assert all(after[name]["LastModified"] == found["LastModified"] for name, found in before.items())
        stored = {name: client.get_object(Bucket=BUCKET, Key=f"out/{name}")["Body"].read() for name in after}
        assert of_training(stored) == of_training(here(tmp_path / "out"))
        trained = program(
            "train.py", "experiment=demo", *(x for x in QUICK if "pool" not in x), "data=latents", "codec.exponent=0.5",
            f"data.path=s3://{BUCKET}/out", f"data.cache={tmp_path}/cache", "trainer.max_steps=2",
            "trainer.val_check_interval=2", f"hydra.run.dir={tmp_path}/run", "data.num_workers=1",
        )  # fmt: skip
        assert trained.returncode == 0, trained.stderr
        assert (tmp_path / "run/model/model.safetensors").is_file()
