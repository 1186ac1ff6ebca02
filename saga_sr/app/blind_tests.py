"""Blind tests of users: a recording restored in two ways, to be told apart by ear."""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saga_sr.app.allowance import Allowance
from saga_sr.app.asking import Asked
from saga_sr.app.blind_test import BlindTest
from saga_sr.app.enhancement import CANCELLED, DONE, FAILED, Enhancement
from saga_sr.app.level_matching import matching_gains
from saga_sr.app.models import Models
from saga_sr.app.work_queue import WorkQueue
from saga_sr.app.workspace import Entry, Workspaces
from saga_sr.core.errors import SagaError, UsageError
from saga_sr.inference.measurement import OUTPUT_RATE
from saga_sr.inference.settings import EnhanceSettings

# Browsers mix so many channels of three recordings at most.
MOST_CHANNELS = 10
TOLD_EVERY_S = 0.25


@dataclass(frozen=True)
class Way:
    """How a recording is restored: by which model, which preset, and with which changed settings."""

    model: str
    preset: str = "default"
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> EnhanceSettings:
        """All settings of it.

        Raises:
            ConfigError: there is no such preset or setting, or a value is not possible.
        """
        return EnhanceSettings().changed(self.preset, **self.changes)

    def __str__(self) -> str:
        changes = [f"{name}={value}" for name, value in self.changes.items()]
        return shlex.join([self.model, *([f"preset={self.preset}"] if self.preset != "default" else []), *changes])


@dataclass
class Listening:
    """A blind test with what is heard in it.

    Attributes:
        key: nobody else's, and not to be guessed.
        entry: the recording.
        results: it, restored in the two ways.
        gains: of the results, by which they are as loud as each other; None as long as they are not made.
        are_alike: whether the results are the same.
    """

    key: str
    test: BlindTest
    entry: Entry
    results: list[Enhancement]
    gains: tuple[float, float] | None = None
    are_alike: bool = False

    @property
    def failure(self) -> str:
        """Why there is nothing to be told apart, a sentence; empty where nothing is wrong."""
        if self.are_alike:
            return "Both ways give the same result, sample by sample; choose ways that differ."
        return self.entry.said(next((result.failure for result in self.results if result.failure), ""))

    @property
    def state(self) -> str:
        """`preparing`, `listening`, `over`, `failed`, or `cancelled` before there was anything to be heard."""
        states = {result.state for result in self.results}
        if self.are_alike or FAILED in states:
            return FAILED
        if CANCELLED in states:
            return CANCELLED
        if self.gains is None:
            return "preparing"
        return "over" if self.test.is_over else "listening"

    @property
    def share(self) -> float:
        """What of both results is there, 0 to 1."""
        return sum(result.done_s / result.total_s for result in self.results if result.total_s) / len(self.results)

    def match(self) -> None:
        """See to it that both results, which are whole, are as loud as each other, unless they are the same."""
        first, second = self.results
        self.are_alike = all(torch.equal(a, b) for a, b in zip(first.blocks(), second.blocks(), strict=True))
        if not self.are_alike:
            edges = [edge.hz for channel in self.entry.edges_to_restore for edge in channel]
            edge_hz = min(edges, default=float("inf"))
            self.gains = matching_gains(first.blocks(), second.blocks(), OUTPUT_RATE, edge_hz)

    def stretch(self, heard: str, begin: int, end: int) -> Tensor | None:
        """Samples [channel, time] of what is called `a`, `b`, or `x` with the number of the trial; None for no such."""
        if self.gains is None or heard not in ("a", "b", f"x{self.test.trial}"):
            return None
        if heard[0] == "x" and self.test.is_over:
            return None
        index = self.test.index(heard[0])
        try:
            return self.results[index].stretch(begin, end) * self.gains[index]
        except FileNotFoundError:  # its page was closed
            return None


class BlindTests:
    """At most one blind test for each page."""

    def __init__(self, workspaces: Workspaces, models: Models, queue: WorkQueue, allowance: Allowance) -> None:
        self._workspaces, self._models, self._queue, self._allowance = workspaces, models, queue, allowance
        self._held: dict[str, Listening] = {}

    def begin(self, asked: Asked, key: str, ways: tuple[Way, Way], count: int) -> Listening:
        """Begin a test of `count` trials with a recording, instead of the one that there was.

        Raises:
            UsageError: there is no such recording, it cannot be restored, or the ways are the same.
            SagaError: a model, or settings with it, cannot be used.
        """
        space = self._workspaces.of(asked.session, asked.user)
        entry = space.entry(key)
        if entry.measurement is None:
            raise UsageError(f"{entry.name} cannot be restored: {entry.failure}")
        if entry.measurement.info.channels > MOST_CHANNELS:
            raise UsageError(f"{entry.name} has more than {MOST_CHANNELS} channels, the most that a test can play.")
        if str(ways[0]) == str(ways[1]):
            raise UsageError("Both are the same; choose another model, preset or setting for one of them.")
        self._allowance.check(asked.user)
        test = BlindTest((str(ways[0]), str(ways[1])), count)
        enhancers = [self._models.enhancer(way.model, self._settings(entry, way)) for way in ways]
        self.leave(asked.session)
        listening = Listening(secrets.token_urlsafe(16), test, entry, [])
        folder = space.folder / f"blind-{listening.key}"
        folder.mkdir(parents=True)
        for number, enhancer in enumerate(enhancers):
            listening.results.append(Enhancement(entry.file, enhancer, folder / f"{number}.f32"))
        self._held[asked.session] = listening
        for result in listening.results:
            self._enqueue(asked, listening, result)
        return listening

    def _settings(self, entry: Entry, way: Way) -> EnhanceSettings:
        return way.settings if entry.edges is None else way.settings.changed(cutoff_hz=entry.cutoffs_hz)

    def _enqueue(self, asked: Asked, listening: Listening, result: Enhancement) -> None:
        def work() -> None:
            result.run()
            self._allowance.spend(asked.user, result.took_s)
            if all(one.state == DONE for one in listening.results):
                listening.match()

        self._queue.add(asked.session, work)

    def follow(self, asked: Asked, listening: Listening) -> Iterator[None]:
        """Again and again until there is something to be heard, or never will be."""
        while listening.state == "preparing":
            yield
            time.sleep(TOLD_EVERY_S)
            self._workspaces.of(asked.session, asked.user)  # a sign of life
        yield

    def of(self, asked: Asked) -> Listening:
        """The test of who asks.

        Raises:
            UsageError: there is none.
        """
        if asked.session not in self._held:
            raise UsageError("There is no test here; begin one.")
        return self._held[asked.session]

    def find(self, key: str) -> Listening | None:
        """The test of that key, whosever it is."""
        return next((listening for listening in [*self._held.values()] if listening.key == key), None)

    def answer(self, asked: Asked, trial: int, said: str) -> Listening:
        """Who asks says that X of a `trial` is `a` or `b`.

        Raises:
            UsageError: there is nothing to be heard yet; see `BlindTest.answer`.
        """
        listening = self.of(asked)
        if listening.gains is None:
            raise UsageError("There is nothing to be heard yet; wait until both are made.")
        listening.test.answer(trial, said)
        self._workspaces.of(asked.session, asked.user)
        return listening

    def stop(self, asked: Asked) -> Listening:
        """End the test of who asks, or what is made for it.

        Raises:
            UsageError: there is none.
        """
        listening = self.of(asked)
        for result in listening.results:
            if not result.is_over:
                result.cancel.set()
        listening.test.stop()
        return listening

    def write_csv(self, asked: Asked) -> Path:
        """A file with the answers of who asks.

        Raises:
            UsageError: the test is not over, or there is none.
        """
        listening = self.of(asked)
        folder = self._workspaces.of(asked.session, asked.user).folder / f"blind-{listening.key}"
        path = folder / f"{Path(listening.entry.name).stem} blind test.csv"
        try:
            path.write_text(listening.test.as_csv(), encoding="utf-8")
        except OSError as error:
            raise SagaError(f"{path.name} cannot be written ({error.strerror}); begin another test.") from error
        return path

    def leave(self, session: str) -> None:
        """Nothing more is made for the test of a page, and it is forgotten."""
        listening = self._held.pop(session, None)
        for result in listening.results if listening else []:
            result.cancel.set()
