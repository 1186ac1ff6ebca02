"""Trainings as users of the app can ask for them, within the folders that the app was started with."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from saga_sr.app import run_process
from saga_sr.app.data_check import FolderReport, check_folder
from saga_sr.app.folders import allowed
from saga_sr.app.run_list import Run, RunReader, find_runs
from saga_sr.app.training_plan import CHANGE, Plan, plan
from saga_sr.app.usage import Meter, Usage
from saga_sr.core.errors import SagaError, UsageError
from saga_sr.core.run_folder import FINISHED, is_run, newest_whole, read_record
from saga_sr.packages.export import export_package
from saga_sr.packages.layout import is_package

# What a run may be called.
NAME = re.compile(r"[^\W_][\w.,+-]{0,99}")
# How many are trained at once on this machine, by whomever.
MOST_AT_ONCE = 4
CLIPS = ("input", "output", "reference")


class TrainingRuns:
    """The runs in some folders, and what can be done with them.

    Args:
        read: folders that may be read, absolute and without links.
        write: folders that new runs may lie in, and in which runs can be stopped and gone on with.
    """

    def __init__(self, read: Sequence[Path], write: Sequence[Path]) -> None:
        self._read, self._write = [*read, *write], [*write]
        self._reader, self._meter, self._starting = RunReader(), Meter(), threading.Lock()

    @property
    def can_start(self) -> bool:
        """Whether there is a folder for new runs."""
        return bool(self._write)

    def runs(self) -> list[Run]:
        """All runs, the one first that has begun last."""
        return [self._reader.read(folder) for folder in find_runs(self._read)]

    def run(self, key: str) -> Run:
        """The run with that key, see `key_of`.

        Raises:
            UsageError: there is none.
        """
        found = next((folder for folder in find_runs(self._read) if key_of(folder) == key), None)
        if found is None:
            raise UsageError("There is no such run any more; choose another one.")
        return self._reader.read(found)

    def usage(self, run: Run) -> Usage | None:
        """What the run takes of this machine; None if it is not trained here."""
        process = run_process.process_of(run.folder)
        return self._meter.of(process) if process else None

    def clip(self, key: str, number: int, name: str) -> Path:
        """The file of a clip of the newest validation: its `input`, `output` or `reference`.

        Raises:
            UsageError: there is none.
        """
        path = self.run(key).folder / "validation" / f"{number}_{name}.flac"
        if name not in CLIPS or not path.is_file():
            raise UsageError("There is no such clip.")
        return allowed(path, self._read, "read")

    def clips(self, run: Run) -> list[int]:
        """The numbers of the clips of its newest validation."""
        there = (run.folder / "validation").glob("*_output.flac")
        return sorted(int(path.stem.partition("_")[0]) for path in there if path.stem.partition("_")[0].isdecimal())

    def check(self, path: str, licences: str = "", progress: Callable[[int, int], None] | None = None) -> FolderReport:
        """Look at recordings before they are trained on.

        Raises:
            SagaError: they may not be read, or there are none.
        """
        table = self._readable(licences) if licences else None
        return check_folder(self._readable(path), self._readable, table, progress)

    # -- start, stop, go on --------------------------------------------------------------------------------------------

    def plan(self, recipe: str, source: str, changes: Sequence[str], name: str) -> Plan:
        """The training that a new run called `name` would be.

        Raises:
            SagaError: it cannot be started; why, in a sentence.
        """
        if not self._write:
            raise UsageError("This app may write nothing; start it with write=FOLDER, where runs are to lie.")
        if not NAME.fullmatch(name):
            raise UsageError(f"A run cannot be called {name!r}; give letters, digits and . , + - _ (100 at most).")
        folder = allowed(self._write[0] / name, self._write, "write")
        return plan(recipe, str(self._readable(source)) if source else "", changes, folder, self._readable)

    def start(self, recipe: str, source: str, changes: Sequence[str], name: str) -> Run:
        """Begin a new run called `name`.

        Raises:
            SagaError: it cannot be started; why, in a sentence.
        """
        planned = self.plan(recipe, source, changes, name)
        folder = self._write[0] / name
        with self._starting:
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise UsageError(f"{folder} is there already; give the run another name, or resume the one in it.")
            self._start(folder, planned)
        return self._reader.read(folder)

    def stop(self, key: str) -> Run:
        """Ask a run to save itself and end.

        Raises:
            UsageError: it may not be stopped from here, or is not being trained.
        """
        folder = self._own(key)
        run_process.stop(folder)
        return self._reader.read(folder)

    def resume(self, key: str) -> Run:
        """Go on with a run by the command that it was begun with.

        Raises:
            SagaError: it cannot be gone on with from here; why, in a sentence.
        """
        folder = self._own(key)
        if self._reader.read(folder).state == FINISHED:
            raise UsageError(f"{folder.name} is finished; begin a new run with more steps.")
        recipe, source, changes = _asked(folder)
        try:
            planned = plan(recipe, source, changes, folder, self._readable)
        except SagaError as error:
            raise UsageError(f"{error} Resume {folder.name} by its own command line.") from error
        with self._starting:
            self._start(folder, planned)
        return self._reader.read(folder)

    def export(self, key: str) -> Path:
        """A model package of what a run has come to; of one that is finished, the run itself stands for it.

        Raises:
            SagaError: there is nothing to export yet, or it may not be written.
        """
        run = self.run(key)
        if run.state == FINISHED and is_package(run.folder / "model"):
            return run.folder
        checkpoint = newest_whole(self._own(key) / "checkpoints")
        if checkpoint is None:
            raise UsageError(f"{run.folder.name} has saved no checkpoint yet; wait, or stop it, which saves one.")
        target = run.folder / "exported" / f"{run.folder.name}-{checkpoint.stem}"
        return export_package(checkpoint, target)

    def _start(self, folder: Path, planned: Plan) -> None:
        busy = [run for run in self.runs() if run.here]
        if len(busy) >= MOST_AT_ONCE:
            raise UsageError(f"{len(busy)} runs are being trained on this machine; stop one of them first.")
        run_process.start(folder, planned.words)

    def _own(self, key: str) -> Path:
        """The folder of a run that may be written to."""
        return allowed(self.run(key).folder, self._write, "write")

    def _readable(self, path: str | Path) -> Path:
        return allowed(path, self._read, "read")


def key_of(folder: Path) -> str:
    """What a page calls the run in `folder`."""
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]


def command_line(planned: Plan) -> str:
    """What does the same on the command line."""
    return shlex.join(["saga-sr", "train", *planned.words])


def split(text: str) -> list[str]:
    """The changes in `text`, apart by spaces and lines, quoted as in a shell.

    Raises:
        UsageError: a quotation mark is not closed.
    """
    try:
        return shlex.split(text, comments=True)
    except ValueError as error:
        raise UsageError(f"The changes cannot be read ({error}); write setting=value, a line each.") from error


def _asked(folder: Path) -> tuple[str, str, list[str]]:
    """Recipe, source and changes of a run, as its record or the app's note has them."""
    note, record = run_process.read_note(folder), read_record(folder) or {}
    words = (note.words if note and note.words else None) or [str(word) for word in record.get("overrides", [])]
    if not words and not is_run(folder):
        raise UsageError(f"{folder.name} says nothing of how it was begun; begin a new run.")
    recipe = next((word.partition("=")[2] for word in words if word.startswith("experiment=")), "")
    changes = [w for w in words if not w.startswith(("experiment=", "hydra.run.dir=")) and "=" in w and not _is_path(w)]
    source = next((word for word in words if _is_path(word)), "")
    return recipe, source, changes


def _is_path(word: str) -> bool:
    return CHANGE.fullmatch(word) is None and Path(word).is_absolute()
