"""Files here and in object storage, by one kind of path.

What a user names with `://` is an address of fsspec (s3://bucket/key, gs://, memory://, ...), and becomes a path of
universal_pathlib, which does what a `pathlib.Path` does. Whoever gets a path need not know where it leads, but for what
stands here. A file in object storage appears when it is whole, so that nothing there has to be written aside.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from saga_sr.core.atomic_file import write_atomically
from saga_sr.core.errors import ConfigError
from saga_sr.core.imports import extras_named

HERE = "file://"
# Bytes that are asked for at once where a file is read in stretches.
BLOCK = 1 << 20


def is_address(named: str | Path) -> bool:
    """Whether that names something in object storage."""
    return not isinstance(named, Path) and "://" in str(named) and not str(named).startswith(HERE)


def to_path(named: str | Path, **settings: Any) -> Path:
    """The path of what a user names: on this machine, or in object storage.

    Args:
        settings: of fsspec's file system, where that is one.

    Raises:
        ExtraError: object storage, and what reads it is not installed.
        ConfigError: a kind of address that nobody knows.
    """
    if not is_address(named):
        return Path(str(named).removeprefix(HERE)).expanduser() if isinstance(named, str) else named
    with extras_named():
        from upath import UPath
    try:
        path = UPath(named, **settings)
        path.fs  # noqa: B018 - what reads it is looked for here
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"{named} cannot be reached ({error}); install what fsspec reads such addresses with, "
            "pip install 'saga-sr[s3]' for s3://, or give a folder."
        ) from error
    return cast(Path, path)


def shared(named: str | Path) -> Path:
    """The path of a folder that other processes write to as well: what lies there is asked for anew each time."""
    return to_path(named, use_listings_cache=False) if is_address(named) else to_path(named)


def below(folder: Path, name: str) -> Path:
    """What `name` leads to: an address or an absolute path by itself, and all else below `folder`."""
    return to_path(name) if "://" in name or Path(name).is_absolute() else folder / name


@contextmanager
def reaching(path: Path) -> Iterator[None]:
    """What the clients of object storage raise becomes what the system raises for a file.

    Raises:
        OSError: `path` cannot be read or written.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        if not is_address(path):
            raise
        # Each client has errors of its own: no network, no credentials, no bucket.
        raise OSError(None, " ".join(str(error).split())[:200].rstrip(".")) from error


def open_to_read(path: Path) -> BinaryIO:
    """The file at `path`, of which stretches are read; from object storage they come in blocks of some size.

    Raises:
        OSError: it cannot be read.
    """
    if not is_address(path):
        return path.open("rb")
    with reaching(path):
        found = cast(Any, path)
        return cast(BinaryIO, found.fs.open(found.path, "rb", block_size=BLOCK))


def names_in(folder: Path) -> set[str]:
    """The names of what lies in `folder`; none where there is no such folder.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with reaching(folder):
            return {path.name for path in folder.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def names_below(folder: Path) -> list[str]:
    """The names, relative to it and with `/`, of all files below a folder of object storage.

    Raises:
        OSError: it cannot be read.
    """
    with reaching(folder):
        found = cast(Any, folder)
        begin = found.path.rstrip("/") + "/"
        return [name.removeprefix(begin) for name in found.fs.find(found.path)]


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that is whole or absent, in a folder that is made where there is none.

    Raises:
        OSError: it cannot be written.
    """
    if is_address(path):
        with reaching(path):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)


def put_in_place(file: Path, path: Path) -> None:
    """Give a whole `file` of this machine, which is on the same disk if `path` is here, the place of `path`.

    Raises:
        OSError: it cannot be written.
    """
    if is_address(path):
        with reaching(path):
            cast(Any, path).fs.put_file(str(file), cast(Any, path).path)
        return
    with file.open("rb") as written:
        os.fsync(written.fileno())
    file.replace(path)
