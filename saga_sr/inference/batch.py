"""What becomes of each file of a command: said, recorded, and written down in a manifest."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saga_sr.core.errors import AudioError, ConfigError
from saga_sr.core.storage import reason_of, write_whole
from saga_sr.core.version import __version__
from saga_sr.inference.jobs import Job
from saga_sr.inference.record import Made, Recipe, Record

if TYPE_CHECKING:
    from saga_sr.inference.display import Display
    from saga_sr.inference.restoring import Done

logger = logging.getLogger(__name__)

# Failures that the last message repeats.
REPEATED = 3


class Batch:
    """Keeps account of `jobs` while they are done.

    Args:
        failures: what has failed before, a sentence each.
        record: of the folder of results, if they go to one.
        recipe: that results are made by.
        display: where progress is shown.
    """

    def __init__(
        self, jobs: Sequence[Job], failures: Sequence[str], record: Record | None, recipe: Recipe, display: Display
    ) -> None:
        self.total = len(jobs) + len(failures)
        self.failures = list(failures)
        self.record, self.recipe, self.display = record, recipe, display
        self.kept = self.made = 0
        self.audio_s, self.begin = 0.0, time.perf_counter()
        self.files: dict[Job, dict[str, Any]] = {
            job: {"input": str(job.source), "output": str(job.target), "status": "not begun"} for job in jobs
        }
        for failure in failures:
            logger.warning("Skipped: %s", failure)

    def keep(self, job: Job, made: Made) -> None:
        """The result of `job` is there already; that its recording was moved or touched since is noted.

        Raises:
            DiskError: the record cannot be written.
        """
        self.kept += 1
        if self.record is not None and made.source.sha256 and self.record.made.get(self.record.key(job.target)) != made:
            self.record.finish(job.target, made)
        self.files[job].update(status="kept", **_described(made.source.sha256, made))

    def begun(self, job: Job) -> None:
        """See `Observer`.

        Raises:
            DiskError: the record cannot be written.
        """
        if self.record is not None:
            self.record.begin(job.target)
        self.files[job].update(status="begun")
        self.display.begun(job)

    def progress(self, job: Job, done_s: float, total_s: float) -> None:
        """See `Observer`."""
        self.display.progress(job, done_s, total_s)

    def done(self, job: Job, done: Done) -> None:
        """See `Observer`.

        Raises:
            DiskError: the record cannot be written.
        """
        made = Made(done.source, self.recipe, done.duration_s, done.edges, done.warnings, __version__)
        if self.record is not None:
            self.record.finish(job.target, made)
        self.made += 1
        self.audio_s += done.duration_s
        self.files[job].update(status="done", **_described(done.source.sha256, made))
        self.display.ended(job)
        logger.info("%s -> %s (%s)", job.source, job.target, done.line)

    def failed(self, job: Job, reason: str) -> None:
        """See `Observer`."""
        self.failures.append(reason)
        self.files[job].update(status="failed", failure=reason)
        self.display.ended(job)
        if self.total > 1:
            logger.warning("Skipped: %s", reason)

    def end_early(self, reason: str) -> None:
        """Nothing more can be done, as the sentence `reason` says."""
        self.failures.append(reason)
        for file in self.files.values():
            if file["status"] == "begun":
                file.update(status="failed", failure=reason)

    def write_manifest(self, path: Path, described: dict[str, Any]) -> None:
        """Write what has become of each file so far, below what is `described` of all.

        Raises:
            ConfigError: `path` cannot be written.
        """
        planned = self.total - len(self.files)
        lost = [{"status": "failed", "failure": failure} for failure in self.failures[:planned]]
        content = {"saga_sr": __version__, **described, "files": [*self.files.values(), *lost]}
        try:
            write_whole(path, json.dumps(content, indent=1) + "\n")
        except OSError as error:
            raise ConfigError(f"manifest={path} cannot be written ({reason_of(error)}); give another place.") from error

    def conclude(self) -> None:
        """Say what was done.

        Raises:
            AudioError: what could not be.
        """
        if self.total == 1 and self.failures:
            raise AudioError(self.failures[0])
        seconds = time.perf_counter() - self.begin
        there = f", {self.kept} there already (overwrite=always makes them again)" if self.kept else ""
        logger.info("%d of %d files%s, %.1f s of audio in %.1f s", self.made, self.total, there, self.audio_s, seconds)
        if self.failures:
            more = len(self.failures) - REPEATED
            said = [*self.failures[:REPEATED], *([f"And {more} more, named above."] if more > 0 else [])]
            left = self.total - self.made - self.kept
            raise AudioError(f"{left} of {self.total} files could not be enhanced: {' '.join(said)}")


def _described(sha256: str, made: Made) -> dict[str, Any]:
    if not sha256:
        return {}
    return {"sha256": sha256, "duration_s": made.duration_s, "edges": made.edges, "warnings": made.warnings}
