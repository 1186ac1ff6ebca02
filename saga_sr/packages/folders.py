"""Folders that are whole or absent."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def taking_the_place_of(folder: Path) -> Iterator[Path]:
    """A new folder to fill, which becomes `folder` at the end; after an exception it is gone, and `folder` as before.

    Its files are for whom the user's umask says.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    aside.mkdir()
    try:
        yield aside
        _as_the_umask_says(aside)
        _put_in_place(aside, folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _as_the_umask_says(folder: Path) -> None:
    """Give all files in `folder` the mode of a new one; safetensors writes for the owner alone."""
    new = folder / f".{uuid.uuid4().hex[:8]}"
    new.touch()
    for path in folder.rglob("*"):
        if path.is_file():
            shutil.copymode(new, path)
    new.unlink()


def _put_in_place(aside: Path, folder: Path) -> None:
    """Rename `aside` to `folder`; what was there before is gone only once the new one is in its place."""
    if not folder.exists():
        aside.rename(folder)
        return
    older = aside.with_name(f"{aside.name}-older")
    folder.rename(older)
    try:
        aside.rename(folder)
    except BaseException:
        older.rename(folder)
        raise
    shutil.rmtree(older)
