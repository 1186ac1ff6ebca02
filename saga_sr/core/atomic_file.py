"""Files that are whole or absent: written aside, on the same disk, and renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Short, since the file itself may have a name as long as names can be; hidden, so that it is never taken for a result.
PREFIX, SUFFIX = ".saga-sr-", ".part"
# What is locked of a folder; folders themselves cannot be on disks of other machines.
LOCK = ".lock"


class Aside:
    """A file beside `path`, to take its place once it is whole.

    It is locked as long as its process writes it, which tells it from what a killed process has left behind.

    Attributes:
        file: its own path.
        handle: open to it.

    Raises:
        OSError: the folder is read-only, full or gone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        while True:
            self.handle, name = tempfile.mkstemp(SUFFIX, PREFIX, path.parent)
            self.file = Path(name)
            # Also at the program's end, if a signal has ended it between this and whoever is to remove it.
            self._discard = weakref.finalize(self, _discard, self.handle, self.file)
            if _locked(self.handle):
                return
            self._discard()

    def put_in_place(self) -> None:
        """Give it the place of `path`."""
        self.file.chmod(0o666 & ~_umask())  # mkstemp makes private files
        self.file.replace(self.path)

    def remove(self) -> None:
        """Take it away unless it is in its place, and let go of it."""
        self._discard()


def _discard(handle: int, file: Path) -> None:
    file.unlink(missing_ok=True)
    os.close(handle)


@contextmanager
def folder_aside(parent: Path) -> Iterator[Path]:
    """A hidden folder in `parent` for files that are not whole yet; it goes with what is left in it.

    It is locked as an `Aside` is.

    Raises:
        OSError: `parent` is read-only, full or gone.
    """
    folder, handle = _new_folder(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _new_folder(parent: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(SUFFIX, PREFIX, parent))
        try:
            handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            folder.rmdir()
            raise
        if _locked(handle):
            return folder, handle
        os.close(handle)


def _locked(handle: int) -> bool:
    """Lock an open file; False if somebody has just taken it for left behind, and removed it."""
    if fcntl is None:
        return True
    fcntl.flock(handle, fcntl.LOCK_EX)
    return os.fstat(handle).st_nlink > 0


def write_atomically(path: Path, content: str | bytes) -> Path:
    """Write a file aside, and rename it to `path` once it has reached the disk; its path.

    Processes that write the same file at once do not disturb each other: one of them is the last.

    Raises:
        OSError: a disk that is full, read-only or gone; whatever was at `path` is as it was then.
    """
    aside = Aside(path)
    try:
        with aside.file.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        aside.put_in_place()
    finally:
        aside.remove()
    return path


def remove_left_behind(folder: Path) -> None:
    """Remove what processes that were killed have left unfinished in `folder`, but not below it.

    What is being written stays, also what another machine writes to a disk that both share, as far as the disk tells
    the one of the other's locks.
    """
    if fcntl is None:
        return
    for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
        try:
            handle = os.open(path / LOCK if path.is_dir() else path, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError:  # it is being written, or somebody else's
            pass
        finally:
            os.close(handle)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
