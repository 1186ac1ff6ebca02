"""What comes through named pipes or from object storage, in a file: recordings are gone through twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir

from saga_sr.core.atomic_file import folder_aside
from saga_sr.core.errors import AudioError
from saga_sr.core.storage import is_address, reaching, reason_of

BLOCK = 1 << 22


@contextmanager
def as_file(path: Path) -> Iterator[Path]:
    """`path` itself; or, if it is a pipe (of `mkfifo`, or `<(...)` of a shell) or an address, a copy of what is there.

    Raises:
        AudioError: nothing comes, or there is no room for it; and errors within name the pipe, and not the file.
    """
    if not is_address(path) and not path.is_fifo():
        yield path
        return
    with folder_aside(Path(gettempdir())) as folder:
        file = folder / path.name
        _receive(path, file)
        try:
            yield file
        except AudioError as error:
            raise type(error)(str(error).replace(str(file), str(path))) from error


def _receive(pipe: Path, file: Path) -> None:
    try:
        with reaching(pipe), pipe.open("rb") as source, file.open("wb") as target:
            shutil.copyfileobj(source, target, BLOCK)
    except OSError as error:
        kind, reason = ("" if is_address(pipe) else "The pipe "), reason_of(error)
        raise AudioError(f"{kind}{pipe} cannot be read into {file.parent} ({reason}); copy it to a file.") from error
    if not is_address(pipe) and not file.stat().st_size:
        raise AudioError(f"Nothing came through the pipe {pipe}; see to the command that writes to it.")
