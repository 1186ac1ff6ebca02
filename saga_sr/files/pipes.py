"""What comes through named pipes: it is read once, into a file of its own, since recordings are gone through twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from saga_sr.core.errors import AudioError


@contextmanager
def as_file(path: Path) -> Iterator[Path]:
    """`path` itself; or, if it is a pipe (of `mkfifo`, or `<(...)` of a shell), a file with what comes through it.

    Raises:
        AudioError: nothing comes, or there is no room for it; and errors within name the pipe, and not the file.
    """
    if not path.is_fifo():
        yield path
        return
    with TemporaryDirectory(prefix="saga-sr-") as folder:
        file = Path(folder) / path.name
        _receive(path, file)
        try:
            yield file
        except AudioError as error:
            raise type(error)(str(error).replace(str(file), str(path))) from error


def _receive(pipe: Path, file: Path) -> None:
    try:
        with pipe.open("rb") as source, file.open("wb") as target:
            shutil.copyfileobj(source, target)
    except OSError as error:
        raise AudioError(
            f"The pipe {pipe} cannot be read into {file.parent} ({error.strerror}); write what comes to a file."
        ) from error
    if not file.stat().st_size:
        raise AudioError(f"Nothing came through the pipe {pipe}; see to the command that writes to it.")
