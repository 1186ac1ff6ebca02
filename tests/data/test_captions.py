from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from saga_sr.core.errors import DataError
from saga_sr.data.captions import Captions, read_captions
from saga_sr.data.folder import AudioFolder
from saga_sr.data.folder_data import FolderData
from saga_sr.data.recordings import find_recordings
from saga_sr.data.split import split_recordings
from saga_sr.files.writing import write_audio

RATE = 8_000
CROPS = dict(
    sample_rate=RATE,
    num_samples=4_000,
    channels=1,
    batch_size=2,
    epoch_size=8,
    validation_size=2,
    num_workers=0,
    seed=0,
)


def lines(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings of 4 s, of which one lies deeper."""
    for name in ("a", "b", "sub/c"):
        write_audio(tmp_path / f"music/{name}.wav", 0.1 * torch.rand(1, 4 * RATE), RATE)
    return tmp_path / "music"


def captions(folder: Path, named: Path | None = None) -> Captions:
    return read_captions([folder], sorted(folder.rglob("*.wav")), named)


def test_texts_beside_and_stretches_by_time(folder: Path) -> None:
    (folder / "a.txt").write_text("\ufeffa  slow\n\tsong \n", encoding="utf-8")
    (folder / "b.txt").write_text(" \n")
    lines(
        folder / "captions.jsonl",
        {"path": "sub/c.wav", "start_s": 0, "end_s": 2, "caption": "drums"},
        {"path": "sub/c.wav", "start_s": 2.0, "end_s": 3.5, "caption": "flute"},
    )
    found = pickle.loads(pickle.dumps(captions(folder)))
    assert [found.at(folder / "a.wav", time) for time in (0.0, 1e9)] == ["a slow song"] * 2
    deep = folder / "sub/c.wav"
    assert [found.at(deep, t) for t in (0, 1.99, 2, 3.4, 3.5)] == ["drums", "drums", "flute", "flute", ""]
    assert found.at(folder / "b.wav", 1) == "" and found.at(folder / "none.wav", 1) == ""
    assert deep in found and folder / "b.wav" not in found


def test_who_wins(folder: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (folder / f"{name}.txt").write_text("text")
    lines(
        folder / "captions.jsonl",
        {"path": "a.wav", "caption": "earlier"},
        {"path": "a.wav", "caption": "later"},
        {"path": "a.wav", "start_s": 1, "end_s": 2, "caption": "stretch"},
        {"path": "b.wav", "caption": ""},
    )
    found = captions(folder)
    assert [found.at(folder / "a.wav", t) for t in (0, 1)] == ["later", "stretch"]
    assert found.at(folder / "b.wav", 0) == "text"
    named = tmp_path / "mine.csv"
    named.write_text(f'Text , AUDIO,start_s,end_s\n"mine, all mine",a.wav,,3\nother,{folder.resolve() / "b.wav"},,\n')
    found = captions(folder, named)
    assert [found.at(folder / "a.wav", t) for t in (0, 1, 3)] == ["mine, all mine", "mine, all mine", "later"]
    assert found.at(folder / "b.wav", 2) == "other"
    manifest = lines(tmp_path / "mine.jsonl", {"file": "a.wav", "transcript": "said"})
    assert captions(folder, manifest).at(folder / "a.wav", 1) == "said"


def test_a_folder_that_is_a_link_and_a_relative_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines(tmp_path / "all.jsonl", {"path": str(folder / "a.wav"), "caption": "abs"}, {"path": "b.wav", "caption": "r"})
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    for root in (Path("link"), Path("music"), folder):
        found = captions(root, tmp_path / "all.jsonl")
        assert found.at(root / "a.wav", 0) == "abs" and found.at(root / "b.wav", 0) == "r", root


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("c.csv", b"name,caption\na.wav,x\n", ["c.csv has no path column", "name, caption", "path, file or audio"]),
        ("c.csv", b"path,words\n", ["no caption column", "path, words", "caption, text or transcript"]),
        ("c.csv", b"", ["no path column", "none"]),
        ("c.csv", b"path,caption\na.wav,x\nb.wav,\xff\n", ["c.csv is not UTF-8"]),
        ("c.csv", b"path,caption,end_s\na.wav,x,1\nb.wav,x,soon\n", ["line 3", "end_s='soon'"]),
        ("c.csv", b"path,caption\n,x\n", ["line 2", "names no recording"]),
        ("c.jsonl", b'{"path": "a.wav", "caption": "x"}\n{"path":\n', ["c.jsonl, line 2 is no JSON"]),
        ("c.jsonl", b"some words", ["line 1 is no JSON"]),
        ("c.jsonl", b'["a.wav", "x"]\n', ["line 1 is no JSON object"]),
        ("c.jsonl", b'{"path": "a.wav"}\n', ["line 1 has no caption column", "path"]),
        ("c.jsonl", b'{"path": "a.wav", "caption": 3}\n', ["line 1", "no text"]),
        ("c.jsonl", b'{"path": "a.wav", "caption": "", "start_s": 3, "end_s": 3}\n', ["line 1", "end_s=3.0"]),
        ("c.jsonl", b'{"path": "a.wav", "caption": "", "start_s": NaN}\n', ["line 1", "start_s=nan"]),
        ("c.jsonl", b'{"path": "a.wav", "caption": "\xff"}\n', ["line 1 is not UTF-8"]),
        ("c.xlsx", b"", ["c.xlsx", ".csv"]),
    ],
)
def test_bad_tables_are_answered_in_one_sentence(
    folder: Path, tmp_path: Path, name: str, content: bytes, parts: list[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        captions(folder, tmp_path / name)
    assert all(part in str(caught.value) for part in parts), caught.value
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_missing_and_unreadable_files(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no file .*none\.csv.*data\.captions"):
        captions(folder, folder / "none.csv")
    (folder / "a.txt").write_bytes("Größe".encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.txt is not UTF-8"):
        captions(folder)


@pytest.mark.parametrize("torn", [b'{"path": "b.wav", "capt', b'{"path": "b.wav", "caption": "\xc3'])
def test_a_last_line_that_was_cut_off_is_passed_over(
    folder: Path, torn: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    table = lines(folder / "captions.jsonl", {"path": "a.wav", "caption": "whole"})
    whole = table.read_bytes()
    table.write_bytes(whole + torn)
    found = captions(folder)
    assert found.at(folder / "a.wav", 0) == "whole" and folder / "b.wav" not in found
    assert "last line" in caplog.text and "captions.jsonl" in caplog.text
    # Whole but for its newline, as an editor leaves it.
    table.write_bytes(whole + b'{"path": "b.wav", "caption": "too"}')
    assert captions(folder).at(folder / "b.wav", 0) == "too"


def test_entries_without_a_recording_are_counted_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    gone = [{"path": f"gone{i}.wav", "caption": "x"} for i in range(2)]
    lines(folder / "captions.jsonl", *gone, {"path": "a.wav", "caption": "here"})
    assert captions(folder).at(folder / "a.wav", 0) == "here"
    assert len(caplog.records) == 1 and "2 of 3 entries" in caplog.text and "gone0.wav" in caplog.text


def test_crops_have_the_caption_of_their_middle(folder: Path) -> None:
    write_audio(folder / "short.wav", 0.1 * torch.rand(1, 800), RATE)
    lines(
        folder / "captions.jsonl",
        *({"path": p, "end_s": 2, "caption": "early"} for p in ("a.wav", "b.wav", "sub/c.wav")),
        *({"path": p, "start_s": 2, "caption": "late"} for p in ("a.wav", "b.wav", "sub/c.wav")),
        {"path": "short.wav", "end_s": 0.1, "caption": "short"},
    )
    files = split_recordings(find_recordings(folder), None, 0.1)
    every = [*files.train, *files.validation]
    crops = AudioFolder(every, 60, 4_000, RATE, 0, captions=read_captions([folder], [info.path for info in every]))
    seen = set()
    for item in (crops[i] for i in range(60)):
        name, start_s = item["name"].removesuffix("s").split("@")
        middle_s = float(start_s) + 0.25
        if name != "short" and abs(middle_s - 2) < 0.01:
            continue  # the name's start is rounded
        wanted = "short" if name == "short" else "early" if middle_s < 2 else "late"
        assert item["caption"] == wanted, item["name"]
        seen.add(wanted)
    assert seen == {"short", "early", "late"}
    assert AudioFolder(every, 60, 4_000, RATE, 0)[0]["caption"] == ""


def test_the_data_of_a_run_has_captions_and_counts_what_has_none(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    data = FolderData(str(folder), 0.3, **CROPS)
    assert {c for batch in data.train_dataloader() for c in batch["caption"]} == {""}
    assert caplog.text == ""
    (tmp_path / "mine.csv").write_text("path,caption\na.wav,one\nb.wav,two\n")
    data = FolderData(str(folder), 0.3, captions=str(tmp_path / "mine.csv"), **CROPS)
    sides = [data.train_dataloader(), data.val_dataloader()]
    said = {c for side in sides for batch in side for c in batch["caption"]}
    assert {"one", "two"} <= said
    assert [record.message for record in caplog.records] == ["1 of 3 recordings have no caption."]
