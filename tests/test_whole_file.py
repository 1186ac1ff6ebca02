from __future__ import annotations

from pathlib import Path

import pytest

from saga_sr.whole_file import write_whole


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    assert write_whole(path, "first") == path and path.read_text() == "first"

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("saga_sr.whole_file.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"second")
    assert path.read_text() == "first" and [file.name for file in tmp_path.iterdir()] == ["a.txt"]
