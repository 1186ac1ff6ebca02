"""Lines that several processes add to, on a disk and in object storage."""

from __future__ import annotations

from pathlib import Path

import pytest
from fsspec import filesystem

from saga_sr.core import journal
from saga_sr.core.journal import journal_at
from saga_sr.core.storage import shared


@pytest.fixture(params=["a disk", "object storage"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "a disk":
        return tmp_path / "new"
    pytest.importorskip("upath")
    filesystem("memory").store.clear()
    return shared("memory://new")


def numbers(path: Path) -> list[int]:
    return [line["number"] for line in journal_at(path).read()]


def test_lines_of_several_writers_are_read_in_the_order_in_which_they_were_added(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FULL", 100)  # so that writers go on in other files
    path = folder / ".lines.jsonl"
    assert numbers(path) == []
    writers = [journal_at(path) for _ in range(2)]
    for number in range(20):
        writers[number // 3 % 2].add({"number": number})
    assert numbers(path) == [*range(20)]


def test_what_a_killed_writer_left_half_is_passed_over(folder: Path) -> None:
    path = folder / ".lines.jsonl"
    journal_at(path).add({"number": 1})
    (file,) = (file for file in folder.rglob("*.jsonl") if file.is_file())
    file.write_bytes(file.read_bytes() + b'\xff\n[1]\n{"number": 2')
    journal_at(path).add({"number": 3})
    assert numbers(path) == [1, 3]
