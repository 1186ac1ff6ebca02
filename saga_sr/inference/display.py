"""How far a command is: a bar for each file and one for all of them, or lines where there is no terminal."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from saga_sr.inference.jobs import Job

if TYPE_CHECKING:
    from typing_extensions import Never

logger = logging.getLogger(__name__)

# A line is written at most so often for files that are not done yet.
LINE_EVERY_S = 60.0
FILE_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} s{postfix}, {remaining} left"
ALL_BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}{postfix}, {remaining} left"


class Display:
    """Shows how far jobs are; the time that is left is told by the bytes of the recordings.

    Args:
        sizes: the jobs, and the bytes of each one's recording.
    """

    def __init__(self, sizes: Mapping[Job, int]) -> None:
        self.sizes = sizes
        self.bytes = sum(sizes.values()) or 1
        self.ended_bytes, self.ended_files, self.ended_s = 0, 0, 0.0
        self.running: dict[Job, tuple[float, float]] = {}  # seconds done and in all
        self.began: dict[Job, float] = {}
        self.bars: dict[Job, tqdm[Never]] = {}
        self.all: tqdm[Never] | None = None
        self.start = self.said = time.perf_counter()
        self.on_terminal = sys.stderr.isatty()
        self._stack = ExitStack()

    def __enter__(self) -> Display:
        if self.on_terminal:
            self._stack.enter_context(logging_redirect_tqdm())
            if len(self.sizes) > 1:
                self.all = tqdm(desc="All", total=1.0, bar_format=ALL_BAR, smoothing=0, leave=False, position=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bar in [*self.bars.values(), *([self.all] if self.all is not None else [])]:
            bar.close()
        self._stack.close()

    def begun(self, job: Job) -> None:
        """A file is begun."""
        self.running[job], self.began[job] = (0.0, 0.0), time.perf_counter()

    def progress(self, job: Job, done_s: float, total_s: float) -> None:
        """So many seconds of a file are done."""
        self.running[job] = done_s, total_s
        if self.on_terminal:
            self._draw(job, done_s, total_s)
        elif time.perf_counter() - self.said >= LINE_EVERY_S:
            self.said = time.perf_counter()
            logger.info("%s", self.line(job))

    def ended(self, job: Job) -> None:
        """A file is done, or has failed."""
        self.ended_s += self.running.pop(job, (0.0, 0.0))[0]
        self.ended_bytes += self.sizes.get(job, 0)
        self.ended_files += 1
        bar = self.bars.pop(job, None)
        if bar is not None:
            bar.close()
        self._draw_all()

    @property
    def share(self) -> float:
        """How much of all is done, up to 1."""
        begun = sum(self.sizes.get(job, 0) * done / total for job, (done, total) in self.running.items() if total)
        return min((self.ended_bytes + begun) / self.bytes, 1.0)

    def line(self, job: Job) -> str:
        """How far `job` and all files are, in words."""
        done_s, total_s = self.running[job]
        seconds = time.perf_counter() - self.start
        left = tqdm.format_interval(seconds * (1 - self.share) / self.share) if self.share else "?"
        files = f"{self.ended_files} of {len(self.sizes)} files, " if len(self.sizes) > 1 else ""
        at = f"{tqdm.format_interval(done_s)} of {tqdm.format_interval(total_s)}"
        return f"{files}{job.source} at {at}, {self._speed():.3g} x real time, {left} left"

    def _speed(self) -> float:
        done_s = self.ended_s + sum(done for done, _ in self.running.values())
        return done_s / max(time.perf_counter() - self.start, 1e-3)

    def _draw(self, job: Job, done_s: float, total_s: float) -> None:
        if job not in self.bars:
            self.bars[job] = tqdm(
                desc=job.source.name, total=total_s, bar_format=FILE_BAR, smoothing=0, leave=False, initial=0
            )
        bar = self.bars[job]
        speed = done_s / max(time.perf_counter() - self.began[job], 1e-3)
        bar.set_postfix_str(f"{speed:.3g} x real time", refresh=False)
        bar.update(min(done_s, total_s) - bar.n)
        self._draw_all()

    def _draw_all(self) -> None:
        if self.all is None:
            return
        self.all.set_postfix_str(
            f"{self.ended_files} of {len(self.sizes)} files, {self._speed():.3g} x real time", refresh=False
        )
        self.all.update(self.share - self.all.n)
