from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from saga_sr.core.atomic_file import Aside, folder_aside, remove_left_behind, write_atomically


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    assert write_atomically(path, "first") == path and path.read_text() == "first"

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("saga_sr.core.atomic_file.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"second")
    assert path.read_text() == "first" and [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_names_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".txt")
    assert write_atomically(path, "long").read_text() == "long"
    before = os.umask(0o27)
    try:
        assert write_atomically(path, "readable").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_only_what_nobody_writes_is_removed(tmp_path: Path) -> None:
    writing = Aside(tmp_path / "a.txt")
    (tmp_path / ".saga-sr-dead.part").touch()  # the system has taken the lock of a process that was killed
    (tmp_path / ".other.part").touch()
    remove_left_behind(tmp_path)
    assert {*tmp_path.iterdir()} == {writing.file, tmp_path / ".other.part"}
    writing.put_in_place()
    writing.remove()
    assert (tmp_path / "a.txt").exists()


def test_what_nobody_holds_any_more_is_removed(tmp_path: Path) -> None:
    begun = Aside(tmp_path / "a.txt")
    assert begun.file.exists()
    del begun
    assert not [*tmp_path.iterdir()]


def test_only_folders_that_nobody_writes_are_removed(tmp_path: Path) -> None:
    lines = [
        "import os, sys",
        "from pathlib import Path",
        "from saga_sr.core.atomic_file import folder_aside",
        "with folder_aside(Path(sys.argv[1])) as folder:",
        "    (folder / 'half').touch()",
        "    os.kill(os.getpid(), 9)",
    ]
    assert subprocess.run([sys.executable, "-c", "\n".join(lines), str(tmp_path)]).returncode == -9
    (dead,) = tmp_path.iterdir()
    assert (dead / "half").exists()
    with folder_aside(tmp_path) as writing:
        (writing / "whole").write_text("content")
        remove_left_behind(tmp_path)
        assert [*tmp_path.iterdir()] == [writing]
        (writing / "whole").replace(tmp_path / "whole")
    assert [*tmp_path.iterdir()] == [tmp_path / "whole"]
