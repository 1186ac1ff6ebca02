"""Training runs in folders, whoever has started them: how far they are, how well they do, and where they differ."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from saga_sr.app.run_process import NOTE, last_words, process_of, read_note
from saga_sr.core.run_folder import FAILED, RECORD, RUNNING, STOPPED, is_run, read_curves, read_record

# States beside those of records: no step yet, asked to stop, and ended without a word.
STARTING, STOPPING, LOST = "starting", "stopping", "lost"
BUSY = (STARTING, RUNNING, STOPPING)
# Folders are looked into this deep, and at most so many of them.
DEPTH, MOST_FOLDERS = 6, 20_000
# A run on another machine that has written nothing for so long has ended without a word.
SILENT_S = 900.0

Curves = Mapping[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Run:
    """A training run as its folder shows it.

    Attributes:
        recipe: the option of `experiment`; empty for none.
        changes: what else its command line says, in Hydra's grammar.
        state: a status of records, or `STARTING`, `STOPPING`, `LOST`.
        reason: why it failed or stopped.
        step, steps: of the optimizer, so far and in all; `steps` None where it is not known.
        batch: crops in a step of all devices.
        began: when, in ISO's form; empty if it has not.
        here: whether its process is alive on this machine.
    """

    folder: Path
    recipe: str
    changes: tuple[str, ...]
    state: str
    reason: str
    step: int
    steps: int | None
    batch: int | None
    began: str
    here: bool
    curves: Curves

    @property
    def is_busy(self) -> bool:
        """Whether it is being trained."""
        return self.state in BUSY

    @property
    def steps_per_s(self) -> float | None:
        """Its newest speed, validation apart; None where it is not known."""
        samples = self.curves.get("system/samples_per_s")
        return samples[-1][1] / self.batch if samples and self.batch else None

    @property
    def left_s(self) -> float | None:
        """About how many seconds of training are left of a run that is busy; None where it is not known."""
        speed = self.steps_per_s
        if not self.is_busy or not speed or self.steps is None:
            return None
        return max(0, self.steps - self.step) / speed

    @property
    def figures(self) -> dict[str, tuple[float, float]]:
        """The newest and the best value of each figure of validation, by name."""
        return {
            name: (points[-1][1], _best(name, [value for _, value in points]))
            for name, points in self.curves.items()
            if name.startswith("val/") and points
        }


class RunReader:
    """Reads runs, and of those that it has read before only what has changed."""

    def __init__(self) -> None:
        self._curves: dict[Path, tuple[tuple[int, int], Curves]] = {}
        self._configs: dict[Path, tuple[tuple[int, int], dict[str, Any]]] = {}

    def read(self, folder: Path) -> Run:
        """The run in `folder`."""
        record, curves = read_record(folder) or {}, self._read_curves(folder)
        config = self._read_config(folder)
        overrides = [str(word) for word in record.get("overrides", [])] or _noted(folder)
        recipe = next((w.partition("=")[2] for w in overrides if w.startswith("experiment=")), "")
        state, reason, here = state_of(folder, record, self._newest(folder))
        done = max((int(points[-1][0]) + 1 for name, points in curves.items() if name == "train/loss"), default=0)
        return Run(
            folder,
            recipe or str(config.get("task_name") or ""),
            tuple(w for w in overrides if not w.startswith(("experiment=", "hydra.run.dir="))),
            state, reason, int(record.get("steps") or done), config.get("steps"), config.get("batch"),
            str(record.get("began", "")), here, curves,
        )  # fmt: skip

    def _read_curves(self, folder: Path) -> Curves:
        mark = _mark(folder / "csv" / "metrics.csv")
        if self._curves.get(folder, (None,))[0] != mark:
            try:
                self._curves[folder] = mark, read_curves(folder)
            except (OSError, ValueError, KeyError):  # in the midst of being written
                return self._curves.get(folder, (mark, {}))[1]
        return self._curves[folder][1]

    def _read_config(self, folder: Path) -> dict[str, Any]:
        mark = _mark(folder / "config.yaml")
        if self._configs.get(folder, (None,))[0] != mark:
            self._configs[folder] = mark, _facts(folder / "config.yaml")
        return self._configs[folder][1]

    def _newest(self, folder: Path) -> float:
        """When the run has last written something, in seconds since 1970."""
        return max(_mark(folder / name)[0] for name in ("csv/metrics.csv", RECORD)) / 1e9


def find_runs(folders: Iterable[Path]) -> list[Path]:
    """The runs below `folders`, each once, the one first that has begun last; links are not followed."""
    found: dict[Path, float] = {}
    waiting = [(os.fspath(folder), 0) for folder in folders]
    looked = 0
    while waiting and looked < MOST_FOLDERS:
        path, depth = waiting.pop()
        looked += 1
        folder = Path(path)
        if is_run(folder) or (folder / NOTE).is_file():
            found[folder] = _mark(folder / RECORD)[0] or _mark(folder / NOTE)[0]
            continue
        if depth < DEPTH:
            waiting += [(child, depth + 1) for child in _subfolders(path)]
    return sorted(found, key=lambda folder: found[folder], reverse=True)


def state_of(folder: Path, record: Mapping[str, Any], newest: float) -> tuple[str, str, bool]:
    """The state of a run, why, and whether its process is alive on this machine.

    Args:
        record: that of the run; empty if it has none.
        newest: when it has last written something, in seconds since 1970.
    """
    status, reason = str(record.get("status", "")), str(record.get("reason") or "")
    note, process = read_note(folder), process_of(folder)
    if process is not None:
        if note is not None and note.pid == process.pid and note.stop_asked is not None:
            return STOPPING, "", True
        return (RUNNING if status == RUNNING else STARTING), "", True
    if status == RUNNING:
        host = (record.get("machine") or {}).get("host")
        if host != platform.node() and time.time() - newest < SILENT_S:
            return RUNNING, f"on {host}", False
        if note is not None and note.stop_asked is not None:
            return STOPPED, "", False
        return LOST, error_of(folder), False
    if note is not None and note.began > newest:  # it ended before it wrote a record
        return (STOPPED, "", False) if note.stop_asked is not None else (FAILED, error_of(folder), False)
    return (status or LOST), reason, False


def error_of(folder: Path) -> str:
    """The sentence that the process of a run has ended with, if an app has started it; else empty."""
    said = last_words(folder)
    errors = [line.removeprefix("error: ") for line in said.splitlines() if line.startswith("error: ")]
    lines = [line for line in said.splitlines() if line.strip()]
    return errors[-1] if errors else lines[-1] if lines else ""


def _best(name: str, values: Sequence[float]) -> float:
    """The best of a figure's values: differences in level are best at 0, likeness is better the higher it is."""
    if name.endswith("_db"):
        return min(values, key=abs)
    return max(values) if "sdr" in name else min(values)


def _noted(folder: Path) -> list[str]:
    note = read_note(folder)
    return list(note.words or []) if note else []


def _facts(path: Path) -> dict[str, Any]:
    """What is looked at of a run's configuration, as far as it can be read."""
    try:
        config = OmegaConf.load(path)
        assert isinstance(config, DictConfig)
        trainer, batch = config.trainer, int(config.data.batch_size)
        devices = trainer.devices if isinstance(trainer.devices, int) else 1
        return {
            "task_name": config.task_name,
            "steps": int(trainer.max_steps),
            "batch": batch * devices * int(trainer.accumulate_grad_batches),
        }
    except Exception:  # a file that somebody else has written: YAML and OmegaConf raise what they come upon
        return {}


def _mark(path: Path) -> tuple[int, int]:
    """What changes when a file does: its time in nanoseconds and its size; zeros if there is none."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _subfolders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [e.path for e in entries if not e.name.startswith(".") and e.is_dir(follow_symlinks=False)]
    except OSError:
        return []
