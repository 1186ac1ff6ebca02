"""Files here and in object storage, by one kind of path.

What a user names with `://` is an address of fsspec (s3://bucket/key, gs://, memory://, ...), and becomes a path of
universal_pathlib, which does what a `pathlib.Path` does; `file://` names a path of this machine, and is taken off.
Whoever gets a path need not know where it leads, but for what stands here. A file in object storage appears when it is
whole, so that nothing there has to be written aside.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from saga_sr.core.atomic_file import Aside, write_atomically
from saga_sr.core.errors import ConfigError
from saga_sr.core.foreign_messages import hear_no_steps_of_clients
from saga_sr.core.imports import extras_named

Item = TypeVar("Item")
Answer = TypeVar("Answer")
# What begins a name of this machine, also that of a list.
HERE = re.compile(r"(@?)file://")
BLOCK = 1 << 20  # bytes that are asked for at once where a file is read in stretches
AT_ONCE = 32  # questions that object storage is asked at once


def is_address(named: str | Path) -> bool:
    """Whether that names something in object storage."""
    return not isinstance(named, Path) and "://" in (text := str(named)) and not HERE.match(text)


def plain(named: str) -> str:
    """`named` without `file://`, read as fsspec does: letter by letter, but for a home folder; all else as it is."""
    begin = HERE.match(named)
    return begin[1] + os.path.expanduser(named[begin.end() :]) if begin else named  # noqa: PTH111 - keeps a last slash


def to_path(named: str | Path, **settings: Any) -> Path:
    """The path of what a user names: on this machine, or in object storage.

    Args:
        settings: of fsspec's file system, where that is one.

    Raises:
        ExtraError: object storage, and what reads it is not installed.
        ConfigError: a kind of address that nobody knows, that loses its host, or is not in reach.
    """
    if not is_address(named):
        return Path(plain(named)).expanduser() if isinstance(named, str) else named
    with extras_named():
        from upath import UPath
    hear_no_steps_of_clients()
    try:
        path = UPath(named, **settings)
        if UPath(str(UPath(str(named)))).storage_options != UPath(str(named)).storage_options:
            raise ValueError("such an address loses its host on the way")  # sftp://, of universal_pathlib
        path.fs  # noqa: B018 - what reads it is looked for here, and some clients connect at once
    except Exception as error:
        raise ConfigError(
            f"{named} cannot be reached ({error}); install what fsspec reads such addresses with, "
            "pip install 'saga-sr[s3]' for s3://, or give a folder."
        ) from error
    return cast(Path, path)


def shared(named: str | Path) -> Path:
    """The path of a folder that other processes write to as well: what lies there is asked for anew each time."""
    return to_path(named, use_listings_cache=False) if is_address(named) else to_path(named)


def as_named(named: str | Path) -> Path:
    """As `shared`, but what is named here is taken letter by letter: `~` is no home."""
    return shared(named) if is_address(named) else Path(plain(str(named)))


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


def reason_of(error: OSError) -> str:
    """Why a file cannot be read or written, without its name."""
    # Clients of object storage put the name where the reason belongs.
    gone = os.strerror(errno.ENOENT) if isinstance(error, FileNotFoundError) else str(error)
    return error.strerror or gone


def mend(path: Path) -> str:
    """What to do where `path` cannot be written."""
    if is_address(path):
        return "check its address, and that you may write there"
    return "free some space or choose another folder"


def is_folder(path: Path) -> bool:
    """Whether there is a folder at `path`.

    Raises:
        OSError: that cannot be told.
    """
    with reaching(path):
        return path.is_dir() if is_address(path) else os.path.isdir(path)  # noqa: PTH112 - which raises nothing


def is_there(path: Path) -> bool:
    """Whether there is anything at `path`, be it a link that leads nowhere.

    Raises:
        OSError: that cannot be told.
    """
    with reaching(path):
        return path.exists() if is_address(path) else os.path.lexists(path)


def asked(question: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
    """The answers to a `question` on each of `items`, of which some may be in object storage, which takes its time."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield from threads.map(question, items)


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


def matching(pattern: Path, top: Path) -> dict[Path, bool]:
    """What matches a pattern (`*`, `**`, `?`, `[...]`) in object storage, in order, and whether each is a folder.

    Args:
        top: a folder above all that can match.

    Raises:
        OSError: it cannot be read.
    """
    with reaching(pattern):
        found, begin = cast(Any, pattern), cast(Any, top).path.rstrip("/") + "/"
        matches = found.fs.glob(found.path, detail=True)
    return {top / name.removeprefix(begin): matches[name]["type"] == "directory" for name in sorted(matches)}


def is_within(path: Path, folder: Path) -> bool:
    """Whether `path` lies below `folder`, both addresses."""
    return str(path).rstrip("/").startswith(str(folder).rstrip("/") + "/")


class _Sent(Aside):
    """A file of this machine that is sent to object storage once it is whole."""

    def __init__(self, path: Path) -> None:
        super().__init__(workplace(path) / path.name)
        self.path = path

    def put_in_place(self) -> None:
        """Send it to `path`."""
        put_in_place(self.file, self.path)


def workplace(path: Path) -> Path:
    """The folder of this machine where what is to be at `path` is made."""
    return Path(tempfile.gettempdir()) if is_address(path) else path.parent


def aside(path: Path) -> Aside:
    """A file of this machine that takes the place of `path`, here or in object storage, once it is whole.

    Raises:
        OSError: its folder, which is made where there is none, is read-only, full or gone.
    """
    if is_address(path):
        return _Sent(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        path.lstat()  # or a name that is too long were found out at the end
    return Aside(path)


def check_writable(path: Path) -> None:
    """See that there is what `path` lies in, such as a bucket, before work is done for it; nothing is written.

    Where nobody may ask, that is told by whoever writes.

    Raises:
        OSError: there is none, or it is not in reach.
    """
    if is_address(path):
        try:
            # Of a name that nothing has: what is below `path` itself may be much.
            names_below(path / ".saga-sr-asked")
        except PermissionError:
            pass
        except FileNotFoundError as error:
            raise FileNotFoundError(errno.ENOENT, f"there is no {path.parents[-1]}") from error


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that is whole or absent, in a folder that is made where there is none.

    Raises:
        OSError: it cannot be written.
    """
    if is_address(path):
        _send(path, lambda: path.write_bytes(content.encode() if isinstance(content, str) else content))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)


def put_in_place(file: Path, path: Path) -> None:
    """Give a whole `file` of this machine, which is on the same disk if `path` is here, the place of `path`.

    Raises:
        OSError: it cannot be written.
    """
    if is_address(path):
        _send(path, lambda: cast(Any, path).fs.put_file(str(file), cast(Any, path).path))
        return
    with file.open("rb") as written:
        os.fsync(written.fileno())
    file.replace(path)


def _send(path: Path, write: Callable[[], object]) -> None:
    """Have `path`, an address, written; where that fails for want of its folder, the folder is made."""
    with reaching(path):
        try:
            write()
        except OSError as error:
            lacking = isinstance(error, FileNotFoundError) or error.errno == errno.ENOENT
            if not lacking or not _made_folders(path):
                raise
            write()


def _made_folders(path: Path) -> bool:
    """Make the folders above `path`, an address, where its kind has real ones; whether any was missing."""
    files = cast(Any, path).fs
    # What stands at the top is a root or a bucket, and no bucket is made: nor by parents that are made at once.
    missing = [folder for folder in [*path.parents][:-1] if not files.isdir(cast(Any, folder).path)]
    for folder in reversed(missing):
        with suppress(FileExistsError):  # another process was faster
            files.mkdir(cast(Any, folder).path, create_parents=False)
    return bool(missing)
