"""What each user of the app has there: recordings and what became of them, removed when the user has gone."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saga_sr.app.enhancement import DONE, Enhancement
from saga_sr.audio.edges import Edge
from saga_sr.core.errors import UsageError
from saga_sr.inference.measurement import OUTPUT_RATE, Measurement

# How often is looked for what nobody uses any more.
SWEEP_S = 60.0


@dataclass
class Entry:
    """A recording with what became of it.

    Attributes:
        key: nobody else's, and not to be guessed.
        name: of the file, as its user knows it.
        file: the recording.
        folder: for what is made of it.
        upload: where it was uploaded to.
        measured: how much of it has been, 0 to 1.
        failure: why it cannot be measured, a sentence; empty if it can.
        edges: where its user says that content ends, by channel and stretch; None for as measured.
        runs: how often it was enhanced.
    """

    key: str
    name: str
    file: Path
    folder: Path
    measurement: Measurement | None = None
    measured: float = 0.0
    failure: str = ""
    upload: Path | None = None
    edges: list[list[Edge]] | None = None
    enhancement: Enhancement | None = None
    runs: int = 0

    @property
    def has_result(self) -> bool:
        """Whether there is a whole result."""
        return self.enhancement is not None and self.enhancement.state == DONE

    @property
    def is_busy(self) -> bool:
        """Whether it waits, or is being enhanced."""
        return self.enhancement is not None and not self.enhancement.is_over

    @property
    def edges_to_restore(self) -> list[list[Edge]]:
        """Above which frequencies it is restored, by channel and stretch: as its user says, or as measured."""
        if self.edges is not None:
            return self.edges
        return self.measurement.restored if self.measurement else []

    @property
    def restored_s(self) -> float:
        """How many seconds of one channel have to be restored."""
        if self.measurement is None:
            return 0.0
        missing = any(edge.hz < OUTPUT_RATE / 2 for channel in self.edges_to_restore for edge in channel)
        return self.measurement.info.duration_s * self.measurement.info.channels if missing else 0.0

    @property
    def cutoffs_hz(self) -> list[Any] | None:
        """The setting `cutoff_hz` that its user's edges are; None where they are measured."""
        return None if self.edges is None else [_cutoffs(channel) for channel in self.edges]

    def said(self, sentence: str) -> str:
        """`sentence` with the recording's name in the place of where it lies on the machine."""
        return sentence.replace(str(self.file), self.name)


@dataclass
class Workspace:
    """The recordings of a page that is open somewhere.

    Attributes:
        folder: for its files.
        user: whose page it is.
        weights: files of weights that were uploaded, by their names, and where to.
        versions: numbers of what was told of it, later ones larger.
    """

    folder: Path
    user: str
    entries: dict[str, Entry] = field(default_factory=dict)
    weights: dict[str, Path] = field(default_factory=dict)
    used: float = field(default_factory=time.monotonic)
    versions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def add(self, name: str, file: Path | None = None) -> Entry:
        """A new entry for a recording: `file`, or one that is to be put where the entry says."""
        key, name = secrets.token_urlsafe(16), self._unlike_others(name)
        folder = self.folder / key
        folder.mkdir(parents=True)
        entry = Entry(key, name, file or folder / name, folder)
        self.entries[key] = entry
        return entry

    def _unlike_others(self, name: str) -> str:
        """`name`, with a number if there is a recording of that name already."""
        taken, path, number = {entry.name for entry in self.entries.values()}, Path(name), 2
        while name in taken:
            name, number = f"{path.stem} ({number}){path.suffix}", number + 1
        return name

    def entry(self, key: str) -> Entry:
        """The entry of that key.

        Raises:
            UsageError: there is none.
        """
        if key not in self.entries:
            raise UsageError("There is no such recording here; add it again.")
        return self.entries[key]

    def remove(self, key: str) -> None:
        """Forget a recording, and remove what was made of it."""
        entry = self.entry(key)
        del self.entries[key]
        if entry.enhancement is not None:
            entry.enhancement.cancel.set()
        shutil.rmtree(entry.folder, ignore_errors=True)
        if entry.upload is not None:
            shutil.rmtree(entry.upload.parent, ignore_errors=True)


def _cutoffs(edges: Sequence[Edge]) -> Any:
    """What `cutoff_hz` is of a channel: a frequency, or pairs of the second from which, and a frequency."""
    if len(edges) == 1:
        return round(edges[0].hz, 1)
    return [[round(edge.begin_s, 3), round(edge.hz, 1)] for edge in edges]


class Workspaces:
    """The workspaces of all pages, below `root`; those that show no sign of life for `keep_s` seconds are removed.

    Uploads that no page took up are removed as late.
    """

    def __init__(self, root: Path, keep_s: float) -> None:
        # Gradio puts what is uploaded into folders below the root, and gives out what is there to who knows its path.
        self.root, self._keep_s = root, keep_s
        self._own = root / "workspaces"
        self._own.mkdir(parents=True)
        self._open: dict[str, Workspace] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._keep_clean, name="workspaces", daemon=True).start()

    def of(self, session: str, user: str) -> Workspace:
        """The workspace of a page, by what its browser calls itself, which nobody else knows."""
        with self._lock:
            if session not in self._open:
                self._open[session] = Workspace(self._own / secrets.token_urlsafe(16), user)
            workspace = self._open[session]
            workspace.used = time.monotonic()
            return workspace

    def find(self, key: str) -> Entry | None:
        """The recording of that key, whosever it is."""
        with self._lock:
            return next((space.entries[key] for space in self._open.values() if key in space.entries), None)

    def close(self, session: str) -> None:
        """Remove the workspace of a page that was closed."""
        with self._lock:
            workspace = self._open.pop(session, None)
        if workspace is not None:
            for key in [*workspace.entries]:
                workspace.remove(key)
            for gone in (workspace.folder, *(upload.parent for upload in workspace.weights.values())):
                shutil.rmtree(gone, ignore_errors=True)

    def _keep_clean(self) -> None:
        while self._own.is_dir():
            time.sleep(min(self._keep_s, SWEEP_S))
            self.sweep()

    def sweep(self) -> None:
        """Remove what nobody uses any more."""
        with self._lock:
            now = time.monotonic()
            idle = [name for name, space in self._open.items() if now - space.used > self._keep_s and not _works(space)]
        for session in idle:
            self.close(session)
        for upload in self.root.iterdir():
            if upload != self._own and time.time() - upload.stat().st_mtime > self._keep_s:
                shutil.rmtree(upload, ignore_errors=True)

    def uploaded(self, path: str) -> Path:
        """The file that was uploaded to `path`, without links.

        Raises:
            UsageError: nothing was.
        """
        upload = Path(os.path.realpath(path))
        if self.root not in upload.parents or self._own in upload.parents or not upload.is_file():
            raise UsageError("There is no such upload; drop the file once more.")
        return upload


def _works(workspace: Workspace) -> bool:
    return any(entry.is_busy for entry in [*workspace.entries.values()])
