from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from saga_sr.core.errors import AudioError, ConfigError, DataError
from saga_sr.data.folder import AudioFolder
from saga_sr.data.folder_data import FolderData
from saga_sr.data.recordings import find_recordings
from saga_sr.data.split import split_recordings
from saga_sr.files.reading import inspect_audio
from saga_sr.files.writing import write_audio

RATE = 8_000
CROPS = dict(
    sample_rate=RATE, num_samples=800, channels=1, batch_size=4, epoch_size=16, validation_size=4, num_workers=0, seed=0
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Folders a, of four recordings of 1 s, and b, of two of 4 s."""
    for name, seconds in [*((f"a/{i}", 1) for i in range(4)), ("b/x", 4), ("b/deep/y", 4)]:
        write_audio(tmp_path / f"{name}.wav", 0.1 * torch.rand(1, seconds * RATE), RATE)
    return tmp_path


def names(named: Any) -> list[str]:
    return [path.stem for path in find_recordings(named).files]


def test_folders_manifests_files_and_several_of_them(root: Path) -> None:
    assert names(root / "b") == ["y", "x"] and names(str(root / "b/x.wav")) == ["x"]
    (root / "list.txt").write_text(f"\ufeffb/x.wav\n\n{root}/a/2.wav\nb/x.wav\n", encoding="utf-8")
    (root / "table.csv").write_text("path,caption\na/3.wav,one\na/3.wav,two\n")
    (root / "table.tsv").write_text("caption\taudio\nthree\ta/0.wav\n")
    (root / "table.jsonl").write_text('{"path": "a/1.wav"}\n')
    assert names(root / "list.txt") == ["x", "2"]
    several = [str(root / name) for name in ("table.csv", "table.tsv", "table.jsonl", "b")]
    assert names(several) == names(OmegaConf.create(several)) == ["3", "0", "1", "y", "x"]


def test_what_lies_in_two_sources_is_there_once(root: Path) -> None:
    (root / "link").symlink_to(root / "a")
    assert names([root / "a", root / "link", root / "b", root / "b/deep"]) == ["0", "1", "2", "3", "y", "x"]


def test_a_home_folder_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root))
    assert names("~/b") == ["y", "x"]


def test_captions_come_from_manifests_and_from_each_folder(root: Path) -> None:
    (root / "a/captions.jsonl").write_text(
        '{"path": "0.wav", "caption": "in a"}\n{"path": "1.wav", "caption": "too"}\n'
    )
    (root / "b/x.txt").write_text("beside")
    (root / "table.csv").write_text("path,caption\na/1.wav,of the table\n")
    recordings = find_recordings([root / "table.csv", root / "a", root / "b"])
    found = recordings.captions(recordings.files)
    said = {path.stem: found.at(path, 0.5) for path in recordings.files}
    assert said == {"0": "in a", "1": "of the table", "2": "", "3": "", "x": "beside", "y": ""}
    (root / "mine.csv").write_text("path,caption\n1.wav,mine\ndeep/y.wav,mine\n")
    found = recordings.captions(recordings.files, root / "mine.csv")
    assert found.at(root / "a/1.wav", 0) == found.at(root / "b/deep/y.wav", 0) == "mine"


def shares(named: Any, count: int = 4000) -> dict[str, float]:
    """How often crops come from each recording."""
    recordings = find_recordings(named)
    infos = [inspect_audio(path) for path in recordings.files]
    crops = AudioFolder(infos, count, 8, RATE, 0, weights=recordings.weights(infos))
    drawn = Counter(crops[i]["name"].partition("@")[0] for i in range(count))
    return {name: number / count for name, number in drawn.items()}


def near(found: dict[str, float], expected: dict[str, float]) -> bool:
    return found.keys() == expected.keys() and all(abs(found[name] - expected[name]) < 0.04 for name in found)


def test_crops_come_by_length_or_by_the_weights_of_sources(root: Path) -> None:
    a, b = str(root / "a"), str(root / "b")
    by_length = dict.fromkeys("0123", 1 / 12) | dict.fromkeys("xy", 4 / 12)
    assert near(shares([a, b]), by_length)
    by_weight = dict.fromkeys("0123", 3 / 16) | dict.fromkeys("xy", 1 / 8)
    assert near(shares({a: 3, b: 1}), by_weight) and near(shares(OmegaConf.create({a: 0.75, b: 0.25})), by_weight)
    # What is named twice is drawn for both.
    assert near(shares({a: 1, str(root / "a/0.wav"): 1}), {"0": 1 / 2 + 1 / 8} | dict.fromkeys("123", 1 / 8))


def test_corpora_with_names_are_drawn_as_their_weights_say(root: Path) -> None:
    mix = {"speech": {"path": str(root / "a"), "weight": 3}, "music": {"path": str(root / "b")}}
    data = FolderData(None, 0.25, mix=mix, **CROPS)
    assert near(shares(data.path), dict.fromkeys("0123", 3 / 16) | dict.fromkeys("xy", 1 / 8))
    with pytest.raises(ConfigError, match="both name recordings"):
        FolderData(str(root), 0.25, mix=mix, **CROPS)


def test_tables_weigh_their_recordings(root: Path) -> None:
    (root / "t.csv").write_text("path,weight\nb/x.wav,3\nb/deep/y.wav,\na/0.wav,0.5\n")
    assert near(shares(root / "t.csv"), {"x": 12 / 16.5, "y": 4 / 16.5, "0": 0.5 / 16.5})
    assert near(
        shares({str(root / "t.csv"): 1, str(root / "a/1.wav"): 1}),
        {"x": 6 / 16.5, "y": 2 / 16.5, "0": 0.25 / 16.5, "1": 1 / 2},
    )


def test_tables_tell_where_the_content_of_recordings_ends(root: Path) -> None:
    (root / "t.csv").write_text("path,edge_hz\nb/x.wav,3000\nb/deep/y.wav,\na/0.wav,9000\n")
    (root / "u.csv").write_text("path,weight\na/1.wav,2\n")
    data = FolderData([str(root / "t.csv"), str(root / "u.csv")], 0.25, validation_path=str(root / "t.csv"), **CROPS)
    clips = data.held_out_dataset(60, 80, 7)
    told = {clips[i]["name"].partition("@")[0]: float(clips[i]["edge_hz"]) for i in range(60)}
    assert told == {"x": 3000, "y": RATE / 2, "0": RATE / 2}
    batch = next(iter(data.val_dataloader()))
    assert batch["edge_hz"].dtype == torch.float32 and batch["edge_hz"].shape == (4,)
    plain = FolderData([str(root / "u.csv"), str(root / "a")], 0.25, **CROPS)
    assert "edge_hz" not in plain.train_dataset()[0] and "edge_hz" not in plain.held_out_dataset(4, 80, 7)[0]


def test_weights_leave_a_draw_to_seed_and_index_and_validation_as_it_was(root: Path) -> None:
    a, b = str(root / "a"), str(root / "b")
    weighted, again, plain = (FolderData(path, 0.4, **CROPS) for path in ({a: 5, b: 1}, {a: 5, b: 1}, [a, b]))
    one, other, without = (data.train_dataset() for data in (weighted, again, plain))
    other[5]
    assert all(torch.equal(one[i]["hr"], other[i]["hr"]) for i in range(20))
    assert any(one[i]["name"] != without[i]["name"] for i in range(20))
    clips = [data.held_out_dataset(4, 800, 7) for data in (weighted, plain)]
    assert all(torch.equal(*(clip[i]["hr"] for clip in clips)) for i in range(4))


@pytest.mark.parametrize(("named", "message"), [
    ([], "names no recordings"), ({}, "names no recordings"), (None, "names no recordings"), (7, "names no recordings"),
    ({"a": 0}, "gives a the weight 0; give a number above 0"), ({"a": "much"}, "the weight much"),
    ({"a": True}, "the weight True"), ({"a": float("inf")}, "the weight inf"),
])  # fmt: skip
def test_names_and_weights_that_are_none(named: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_recordings(named)


@pytest.mark.parametrize(("name", "content", "message"), [
    ("empty.txt", "\n", "names no files; write a path on each line"),
    ("t.csv", "weight\n1\n", "no path column"),
    ("t.csv", "path,weight\na/0.wav,-1\n", "line 2 has weight=-1; give a number above 0"),
    ("t.jsonl", '{"path": "a/0.wav", "weight": "much"}', "line 1 has weight='much'"),
    ("t.csv", "path,weight\na/0.wav,1\na/0.wav,2\n", "gives a/0.wav weight=1 and weight=2"),
    ("t.csv", "path,edge_hz\na/0.wav,0\n", "line 2 has edge_hz=0; give where the recording's content ends"),
    ("t.md", "", "is no table"),
])  # fmt: skip
def test_bad_manifests(root: Path, name: str, content: str, message: str) -> None:
    (root / name).write_text(content)
    with pytest.raises(DataError, match=message):
        recordings = find_recordings(root / name)
        recordings.weights([inspect_audio(path) for path in recordings.files])
    with pytest.raises(AudioError, match="There is no folder"):
        find_recordings(root / "missing")


def test_named_validation_is_held_out_and_nothing_else(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    split = split_recordings(find_recordings(root / "a"), find_recordings(root / "b"), 0.1)
    assert {info.path.parent.name for info in split.train} == {"a"} and len(split.train) == 4
    assert {info.path.stem for info in split.validation} == {"x", "y"} and not caplog.text
    data = FolderData(str(root / "a"), 0.1, validation_path=[str(root / "b/x.wav")], **CROPS)
    clips = data.held_out_dataset(4, 800, 7)
    assert all(clips[i]["name"].startswith("x@") for i in range(4))
    assert "4 recordings (0.1 min) for training and 1 (0.1 min) held out" in data.describe()


def test_what_stands_on_both_sides_is_not_trained_on_and_said(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root / "link").symlink_to(root / "b")
    with caplog.at_level(logging.WARNING):
        split = split_recordings(find_recordings([root / "a", root / "b"]), find_recordings(root / "link/x.wav"), 0.1)
    assert {info.path.stem for info in split.train} == {"0", "1", "2", "3", "y"}
    assert "1 of 6 recordings in data.path are in data.validation_path too" in caplog.text and "b/x.wav" in caplog.text
    for path, validation in (("b", "b"), ("a", "broken.wav")):
        (root / "broken.wav").write_text("no audio")
        with pytest.raises(DataError, match="holds no readable audio file of its own"):
            split_recordings(find_recordings(root / path), find_recordings(root / validation), 0.1)


def test_a_weight_of_what_is_wholly_held_out_is_refused(root: Path) -> None:
    data = FolderData({str(root / "a"): 1, str(root / "b"): 1}, 0.1, validation_path=str(root / "b"), **CROPS)
    with pytest.raises(DataError, match=r"Nothing of .*b is left to train on"):
        data.train_dataset()


def test_named_validation_may_have_weights_of_its_own(root: Path) -> None:
    held_out = {str(root / "b/x.wav"): 99, str(root / "a/0.wav"): 1}
    clips = FolderData(str(root / "a"), 0.1, validation_path=held_out, **CROPS).held_out_dataset(200, 80, 7)
    assert sum(clips[i]["name"].startswith("x@") for i in range(200)) > 180
