"""Results as files: in which format, under which names, for download or in a folder."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from saga_sr.app.workspace import Entry
from saga_sr.core.errors import SagaError, UsageError
from saga_sr.files.output_formats import FILM_FORMATS, FORMATS
from saga_sr.inference.naming import result_places
from saga_sr.inference.settings import EnhanceSettings

# The format that a recording has itself.
SAME = "same"


class Downloads:
    """Files that can be downloaded by a name that cannot be guessed, as long as they are there."""

    def __init__(self) -> None:
        self._files: dict[str, Path] = {}

    def offer(self, path: Path) -> str:
        """A name for `path`."""
        token = secrets.token_urlsafe(16)
        self._files = {known: file for known, file in self._files.items() if file.exists()} | {token: path}
        return token

    def find(self, token: str) -> Path | None:
        """The file of that name; None if it is not there any more."""
        path = self._files.get(token)
        return path if path is not None and path.is_file() else None


def written_as(entry: Entry, suffix: str) -> str:
    """The format that a result is written in: `suffix`, or the recording's own for `SAME`, if it can be written."""
    own = Path(entry.name).suffix[1:].lower()
    return (own if own in FORMATS | FILM_FORMATS else "flac") if suffix == SAME else suffix


def names_of(entries: Sequence[Entry], suffix: str) -> list[Path]:
    """What the files of the results are called; all differ."""
    found: dict[str, Path] = {}
    for kind in {written_as(entry, suffix) for entry in entries}:
        alike = [entry for entry in entries if written_as(entry, suffix) == kind]
        places = result_places([Path(entry.name) for entry in alike], kind)
        found |= {entry.key: place for entry, place in zip(alike, places, strict=True)}
    return [found[entry.key] for entry in entries]


def write(entries: Sequence[Entry], folder: Path, suffix: str, settings: EnhanceSettings) -> list[Path]:
    """Write the results of `entries` into `folder`; where they are.

    Args:
        suffix: a format, or `SAME`.
        settings: how files are written.

    Raises:
        UsageError: a recording has no result yet.
        SagaError: a result cannot be written so.
    """
    files = []
    for entry, name in zip(entries, names_of(entries, suffix), strict=True):
        if entry.enhancement is None or not entry.has_result:
            raise UsageError(f"{entry.name} has no result yet; enhance it first.")
        how = settings.changed(keep_video=name.suffix[1:] in FILM_FORMATS)
        try:
            entry.enhancement.save(folder / name, how)
        except SagaError as error:
            raise type(error)(entry.said(str(error)).replace(str(folder / name), str(name))) from error
        files.append(folder / name)
    return files
