"""Reports of `saga-sr evaluate` and pages of `saga-sr compare` in folders, to be opened in the app."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from saga_sr.app.folders import allowed
from saga_sr.core.errors import UsageError

# What the commands call their pages, with a file that lies beside each, by which they are told from others'.
PAGES = {"report.html": "metrics.json", "comparison.html": "comparison.csv"}
# Folders are looked into this deep, and at most so many of them.
DEPTH, MOST_FOLDERS = 6, 20_000


@dataclass(frozen=True)
class Report:
    """A page.

    Attributes:
        key: what pages call it.
        kind: `evaluate` or `compare`.
        name: its folder, below the one that was named.
        written: when.
    """

    key: str
    kind: str
    name: str
    written: datetime
    path: Path


class Reports:
    """The reports in some folders.

    Args:
        folders: absolute and without links.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = [*dict.fromkeys(folders)]

    def all(self) -> list[Report]:
        """All of them, each once, the newest first; links are not followed."""
        found: dict[Path, Report] = {}
        for root in self._folders:
            for path in _pages(root):
                found.setdefault(path, self._report(path, root))
        return sorted(found.values(), key=lambda report: report.written, reverse=True)

    def find(self, key: str) -> Report:
        """The report of that key.

        Raises:
            UsageError: there is none.
        """
        found = next((report for report in self.all() if report.key == key), None)
        if found is None:
            raise UsageError("There is no such report any more; choose another one.")
        allowed(found.path, self._folders, "read")
        return found

    def _report(self, path: Path, root: Path) -> Report:
        key = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        kind = "evaluate" if path.name == "report.html" else "compare"
        name = str(Path(root.name) / path.parent.relative_to(root))
        return Report(key, kind, name, datetime.fromtimestamp(path.stat().st_mtime), path)


def _pages(root: Path) -> Iterator[Path]:
    waiting = [(root, 0)]
    looked = 0
    while waiting and looked < MOST_FOLDERS:
        folder, depth = waiting.pop()
        looked += 1
        try:
            there = [*os.scandir(folder)]
        except OSError:
            continue
        files = {entry.name for entry in there if entry.is_file(follow_symlinks=False)}
        yield from (folder / page for page, beside in PAGES.items() if {page, beside} <= files)
        if depth < DEPTH:
            waiting += [(folder / entry.name, depth + 1) for entry in there if entry.is_dir(follow_symlinks=False)]
