"""Lines of JSON to which several processes add, on a disk or in object storage."""

from __future__ import annotations

import errno
import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, cast

from saga_sr.core.storage import is_address, reaching, write_whole

# Bytes of a file in object storage that is not added to any more.
FULL = 1 << 16


class Journal(Protocol):
    """Lines of JSON that are only ever added to, each at once.

    So several processes may keep it, and what a killed one has left half of a line is passed over.
    """

    path: Path

    def read(self) -> Iterator[dict[str, Any]]:
        """The lines, in the order in which they were added; none where there is no journal.

        Raises:
            OSError: it cannot be read.
        """

    def add(self, line: dict[str, Any]) -> None:
        """Add a line.

        Raises:
            OSError: it cannot be written.
        """


def journal_at(path: Path) -> Journal:
    """The journal at `path`: a file, or in object storage a folder."""
    return _Stored(path.with_suffix("")) if is_address(path) else _File(path)


class _File:
    """A file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Iterator[dict[str, Any]]:
        """See `Journal`."""
        try:
            content = self.path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return iter(())
        return _lines(content)

    def add(self, line: dict[str, Any]) -> None:
        """See `Journal`."""
        content = json.dumps(line).encode() + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                content = b"\n" + content  # after half a line
            if os.write(handle, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(handle)


class _Stored:
    """A folder of object storage, where nothing can be added to.

    Each process writes a file of its own, anew with each line, until it is full and another one is begun. Lines tell
    when they were written, which is their order.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file, self._content = self._new(), b""

    def _new(self) -> Path:
        return self.path / f"{uuid.uuid4().hex}.jsonl"

    def read(self) -> Iterator[dict[str, Any]]:
        """See `Journal`."""
        folder = cast(Any, self.path)
        with reaching(self.path):
            names = folder.fs.find(folder.path)
            contents = folder.fs.cat(names) if names else {}
        lines = [line for content in contents.values() for line in _lines(content)]
        return iter(sorted(lines, key=lambda line: line.get("at", 0)))

    def add(self, line: dict[str, Any]) -> None:
        """See `Journal`."""
        self._content += json.dumps({**line, "at": time.time_ns()}).encode() + b"\n"
        write_whole(self._file, self._content)
        if len(self._content) >= FULL:
            self._file, self._content = self._new(), b""


def _lines(content: bytes) -> Iterator[dict[str, Any]]:
    for text in content.split(b"\n"):
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            yield line
