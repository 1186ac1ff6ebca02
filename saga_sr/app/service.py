"""What the app does for a user, whatever page or program asks: recordings in, measured, enhanced and saved."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from saga_sr.app.allowance import Allowance
from saga_sr.app.asking import Asked
from saga_sr.app.blind_tests import BlindTests
from saga_sr.app.enhancement import CANCELLED, DONE, Enhancement
from saga_sr.app.folders import allowed, safe_name
from saga_sr.app.model_files import ModelFiles
from saga_sr.app.models import Models
from saga_sr.app.open_recordings import OpenRecordings
from saga_sr.app.reports import Reports
from saga_sr.app.saving import Downloads, names_of, write
from saga_sr.app.settings import AppSettings
from saga_sr.app.training_runs import TrainingRuns
from saga_sr.app.work_queue import Ticket, WorkQueue
from saga_sr.app.workspace import Entry, Workspace, Workspaces
from saga_sr.audio.edges import Edge
from saga_sr.audio.timecode import clock
from saga_sr.core.errors import AudioError, SagaError, UsageError
from saga_sr.files.reading import inspect_audio
from saga_sr.inference.inputs import find_inputs
from saga_sr.inference.measurement import measure_file
from saga_sr.inference.settings import EnhanceSettings

# How often a user is told how far the work is.
TOLD_EVERY_S = 0.25


class Service:
    """Everything that pages and programs can ask for, within what the app was started with.

    Args:
        root: a folder for the files of users, which is this app's own.
    """

    def __init__(self, settings: AppSettings, root: Path) -> None:
        self.settings = settings
        self.workspaces = Workspaces(root, settings.keep_s)
        self.open_recordings = OpenRecordings(lambda key: self.workspaces.find(key) is not None)
        self.models = Models(settings.models, settings.device)
        self.queue = WorkQueue()
        self.allowance = Allowance(settings.compute_s)
        self._tickets: dict[str, Ticket] = {}
        self.downloads = Downloads()
        self.runs = TrainingRuns(settings.read, settings.write)
        self.blind_tests = BlindTests(self.workspaces, self.models, self.queue, self.allowance)
        self.reports = Reports([*settings.read, *settings.write])
        self.model_files = ModelFiles(self.models, self.workspaces, self.queue, settings.read, settings.write)
        self._offered: dict[str, str] = {}

    def space(self, asked: Asked) -> Workspace:
        """The recordings of who asks."""
        return self.workspaces.of(asked.session, asked.user)

    def offer(self, asked: Asked, source: str) -> str:
        """Let everybody choose another model, which is chosen where who asks comes next; what it is called."""
        name = self.models.add(source)
        self._offered[asked.session] = name
        return name

    def offered(self, asked: Asked) -> str | None:
        """The model that was offered for who asks, once."""
        return self._offered.pop(asked.session, None)

    # -- recordings in -------------------------------------------------------------------------------------------------

    def add_upload(self, asked: Asked, path: str, name: str) -> Entry:
        """Take over a file that was uploaded, as a recording called `name`, and measure it.

        Raises:
            UsageError: it was not uploaded, or there are too many.
        """
        upload = self.workspaces.uploaded(path)
        space = self._with_room(asked)
        entry = space.add(safe_name(name))
        os.link(upload, entry.file)  # another page may have uploaded the same, which Gradio keeps once
        entry.upload = upload
        return self._measured(entry)

    def add_from(self, asked: Asked, path: str) -> Iterator[Entry]:
        """Measure the recordings at `path` on this machine, a file or a folder, one after the other.

        Raises:
            UsageError: it lies in no folder that may be read, or there are too many.
        """
        found = find_inputs([allowed(path, self.settings.read, "read")])
        if found.failures or not found.found:
            raise UsageError(found.failures[0] if found.failures else f"There are no recordings in {path}.")
        for file, _ in found.found:
            file = allowed(file, self.settings.read, "read")  # not by a link out of it
            yield self._measured(self._with_room(asked).add(safe_name(file.name), file))

    def _with_room(self, asked: Asked) -> Workspace:
        space = self.space(asked)
        if len(space.entries) >= self.settings.recordings:
            raise UsageError(
                f"There are {len(space.entries)} recordings here already, as many as this app takes; remove some."
            )
        return space

    def _measured(self, entry: Entry) -> Entry:
        """`entry` with its measurement, or with why it has none."""
        try:
            duration_s, longest_s = inspect_audio(entry.file).duration_s, self.settings.length_s
            if duration_s > longest_s:
                raise AudioError(
                    f"{entry.name} lasts {clock(duration_s).strip()}, more than the {clock(longest_s).strip()} that "
                    "this app takes; cut it, or use saga-sr enhance."
                )

            def progress(done_s: float, total_s: float) -> None:
                entry.measured = done_s / total_s

            entry.measurement = measure_file(entry.file, progress=progress)
        except SagaError as error:
            entry.failure = entry.said(str(error))
        except (OSError, MemoryError) as error:
            entry.failure = f"{entry.name} cannot be read ({error})."
        return entry

    def correct(self, asked: Asked, key: str, edges: Sequence[Sequence[Mapping[str, float]]] | None) -> Entry:
        """Take over where a user says that a recording's content ends, by channel and stretch; None for as measured.

        Raises:
            UsageError: there is no such recording, or that does not fit it.
        """
        entry = self.space(asked).entry(key)
        if entry.measurement is None:
            raise UsageError(f"{entry.name} cannot be enhanced, so there is nothing to correct.")
        try:
            corrected = [
                [Edge(float(e["begin_s"]), float(e["end_s"]), float(e["hz"])) for e in channel]
                for channel in edges or ()
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError("Edges are lists by channel of begin_s, end_s and hz.") from error
        if corrected and len(corrected) != entry.measurement.info.channels:
            raise UsageError(f"{entry.name} has {entry.measurement.info.channels} channels; give the edges of each.")
        entry.edges = corrected or None
        return entry

    def remove(self, asked: Asked, key: str) -> None:
        """Remove a recording.

        Raises:
            UsageError: there is none.
        """
        self._stop(self.space(asked).entry(key))
        self.space(asked).remove(key)

    # -- enhancing -----------------------------------------------------------------------------------------------------

    def estimate_s(self, asked: Asked, model: str, settings: EnhanceSettings) -> float:
        """About how many seconds all recordings will take that are not enhanced yet.

        Raises:
            SagaError: the model, or the settings with it, cannot be used.
        """
        speed = self.queue.do(asked.session, lambda: self.models.speed(model, settings))
        return sum(entry.restored_s for entry in self.space(asked).entries.values()) / speed

    def start(
        self, asked: Asked, model: str, settings: EnhanceSettings, keys: Sequence[str] | None = None
    ) -> list[Entry]:
        """Put recordings, all unless named, into the queue; those that are there.

        Raises:
            UsageError: there are none, or the user has none of the time left.
            SagaError: the model, or the settings with it, cannot be used.
        """
        self.allowance.check(asked.user)
        space = self.space(asked)
        named = [space.entry(key) for key in keys] if keys else [*space.entries.values()]
        entries = [entry for entry in named if entry.measurement is not None and not entry.is_busy]
        if not entries:
            failures = [entry.failure for entry in named if entry.failure]
            raise UsageError(failures[0] if failures else "There is nothing to enhance yet; add a recording.")
        for entry in entries:
            self._enqueue(
                asked, entry, model, settings if entry.edges is None else settings.changed(cutoff_hz=entry.cutoffs_hz)
            )
        return entries

    def _enqueue(self, asked: Asked, entry: Entry, model: str, settings: EnhanceSettings) -> None:
        entry.runs += 1
        result = entry.folder / f"{entry.runs}.f32"
        for old in entry.folder.glob("*.f32"):
            old.unlink()
        entry.enhancement = doing = Enhancement(entry.file, self.models.enhancer(model, settings), result)

        def work() -> None:
            doing.run()
            self.allowance.spend(asked.user, doing.took_s)
            if doing.state == DONE and doing.took_s:
                self.models.learn(model, settings, entry.restored_s / doing.took_s)

        self._tickets[entry.key] = self.queue.add(asked.session, work)

    def place(self, entry: Entry) -> int:
        """How many come before a recording in the queue."""
        ticket = self._tickets.get(entry.key)
        return self.queue.place(ticket) if ticket else 0

    def follow(self, entries: Sequence[Entry]) -> Iterator[None]:
        """Again and again until all `entries` are over."""
        while not all(entry.enhancement is None or entry.enhancement.is_over for entry in entries):
            yield
            time.sleep(TOLD_EVERY_S)
        yield

    def cancel(self, asked: Asked) -> None:
        """Stop all that runs or waits for who asks."""
        for entry in self.space(asked).entries.values():
            self._stop(entry)

    def _stop(self, entry: Entry) -> None:
        if entry.enhancement is not None and not entry.enhancement.is_over:
            entry.enhancement.cancel.set()
            ticket = self._tickets.pop(entry.key, None)
            if ticket is not None and self.queue.withdraw(ticket):
                entry.enhancement.state = CANCELLED

    def leave(self, session: str) -> None:
        """A page was closed: nothing of it is worked on or kept."""
        self.cancel(Asked(session, ""))
        self.blind_tests.leave(session)
        self.workspaces.close(session)
        self._offered.pop(session, None)

    # -- results out ---------------------------------------------------------------------------------------------------

    def save(self, asked: Asked, key: str, suffix: str, settings: EnhanceSettings) -> Path:
        """The result of a recording as a file of the format `suffix`, for download.

        Raises:
            UsageError: there is no such recording, or no result yet.
            SagaError: it cannot be written so.
        """
        entry = self.space(asked).entry(key)
        return write([entry], entry.folder / "saved", suffix, settings)[0]

    def save_all(self, asked: Asked, suffix: str, settings: EnhanceSettings) -> Path:
        """All results as files of the format `suffix` in a ZIP archive, for download.

        Raises:
            SagaError: see `save`.
        """
        space = self.space(asked)
        files = write(self._results(space), space.folder / "all", suffix, settings)
        path = space.folder / "enhanced.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # sound is not compressed further
            for file in files:
                archive.write(file, file.name)
        return path

    def save_into(self, asked: Asked, folder: str, suffix: str, settings: EnhanceSettings) -> list[Path]:
        """Write all results as files of the format `suffix` into a folder of this machine; where they are.

        Raises:
            UsageError: the folder is none that may be written to, or a file is there already.
            SagaError: see `save`.
        """
        target = allowed(folder, self.settings.write, "write")
        entries = self._results(self.space(asked))
        there = [target / place for place in names_of(entries, suffix) if (target / place).exists()]
        if there:
            raise UsageError(f"{there[0]} is there already; choose another folder, or move it away.")
        return write(entries, target, suffix, settings)

    def _results(self, space: Workspace) -> list[Entry]:
        done = [entry for entry in space.entries.values() if entry.has_result]
        if not done:
            raise UsageError("There is no result yet; enhance a recording first.")
        return done
