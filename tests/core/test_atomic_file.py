from __future__ import annotations

from pathlib import Path

import pytest

from saga_sr.core.atomic_file import write_atomically


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    assert write_atomically(path, "first") == path and path.read_text() == "first"

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("saga_sr.core.atomic_file.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"second")
    assert path.read_text() == "first" and [file.name for file in tmp_path.iterdir()] == ["a.txt"]
