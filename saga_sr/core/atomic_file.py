"""Files that are whole or absent."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, content: str | bytes) -> Path:
    """Write a file aside, on the same disk, and rename it to `path` once it has reached the disk; its path.

    Processes that write the same file at once do not disturb each other: one of them is the last.

    Raises:
        OSError: a disk that is full, read-only or gone; whatever was at `path` is as it was then.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        return aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
