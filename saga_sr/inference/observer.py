"""What is told of jobs while they are done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from saga_sr.inference.jobs import Job
from saga_sr.inference.record import Content


@dataclass(frozen=True)
class Done:
    """What was done to a recording.

    Attributes:
        edges: see `Made`.
        line: the same for people.
    """

    source: Content
    duration_s: float
    edges: list[list[dict[str, float]]]
    warnings: list[str]
    line: str


class Observer(Protocol):
    """Who is told how jobs go on."""

    def begun(self, job: Job) -> None:
        """`job` is being done."""

    def progress(self, job: Job, done_s: float, total_s: float) -> None:
        """Of the recording of `job`, so many seconds are done."""

    def done(self, job: Job, done: Done) -> None:
        """The result of `job` is there."""

    def failed(self, job: Job, reason: str) -> None:
        """`job` could not be done, as the sentence `reason` says."""
