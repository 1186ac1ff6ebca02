"""Runs held against each other: what differed between them, and what came of it."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saga_sr.core.atomic_file import write_atomically
from saga_sr.core.errors import DataError
from saga_sr.core.run_folder import FINISHED, RECORD, read_curves, read_record
from saga_sr.core.utf8_path import as_text

# Figures of a run: name, title, and whether less is better, or None where 0 is right.
FIGURES: dict[str, tuple[str, bool | None]] = {
    "val/lsd_hf": ("LSD-HF", True),
    "val/energy_hf_db": ("HF energy (dB)", None),
    "val/onset_hf_db": ("HF onset (dB)", True),
    "val/lsd": ("LSD", True),
    "val/si_sdr": ("SI-SDR (dB)", False),
    "val/loss": ("validation loss", True),
    "train/loss": ("training loss", True),
}
REPEATED = "seed"


def badness(figure: str, value: float) -> float:
    """What is least for the best value of a figure."""
    less_is_better = FIGURES[figure][1]
    if less_is_better is None:
        return abs(value)
    return value if less_is_better else -value


@dataclass(frozen=True)
class Run:
    """One training run, read back from its folder.

    Attributes:
        overrides: what its command changed, by name.
        curves: each figure as (step, value).
    """

    name: str
    folder: Path
    status: str
    reason: str | None
    steps: int
    seconds: float | None
    overrides: Mapping[str, str]
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(repr=False)

    def final(self, figure: str) -> float | None:
        """The last finite value of a figure."""
        values = self._finite(figure)
        return values[-1] if values else None

    def best(self, figure: str) -> float | None:
        """The best value of a figure."""
        values = self._finite(figure)
        return min(values, key=lambda value: badness(figure, value)) if values else None

    def _finite(self, figure: str) -> list[float]:
        return [value for _, value in self.curves.get(figure, []) if math.isfinite(value)]


def find_runs(folders: Sequence[Path]) -> list[Run]:
    """The runs below `folders`, by name.

    Raises:
        DataError: a folder is missing, or none holds a run.
    """
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"There is no folder {folder}; give the folder of a sweep, or of several runs.")
    runs = [_read(record.parent) for folder in folders for record in sorted(folder.rglob(RECORD))]
    if not runs:
        raise DataError(f"{', '.join(map(str, folders))} holds no runs (no {RECORD}); give a sweep's folder.")
    return runs


def _read(folder: Path) -> Run:
    record: dict[str, Any] = read_record(folder) or {"status": "unreadable"}
    pairs = (override.lstrip("+~").partition("=") for override in record.get("overrides", []))
    curves = read_curves(folder)
    steps = max((int(points[-1][0]) for points in curves.values()), default=0)
    return Run(
        name=folder.name,
        folder=folder,
        status=record["status"],
        reason=record.get("reason"),
        steps=record.get("steps", steps),
        seconds=record.get("seconds"),
        overrides={key: value for key, _, value in pairs},
        curves=curves,
    )


def differing(runs: Sequence[Run]) -> list[str]:
    """The overrides that are not the same in all of `runs`, in the order of the commands."""
    keys = dict.fromkeys(key for run in runs for key in run.overrides)
    return [key for key in keys if len({run.overrides.get(key) for run in runs}) > 1]


@dataclass(frozen=True)
class Variant:
    """Runs that differ in their seed only; `settings` are those that tell it from other variants."""

    settings: Mapping[str, str]
    runs: Sequence[Run]

    @property
    def name(self) -> str:
        """The settings in a line."""
        return ", ".join(f"{key}={value}" for key, value in self.settings.items()) or "all"

    def spread(self, values: Sequence[float | None]) -> tuple[float, float | None] | None:
        """Mean, and standard deviation where there are several, of the values that there are."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        return statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else None


def variants(runs: Sequence[Run]) -> list[Variant]:
    """`runs` gathered over their seeds."""
    keys = [key for key in differing(runs) if key != REPEATED]
    gathered: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        gathered.setdefault(tuple(run.overrides.get(key, "default") for key in keys), []).append(run)
    return [Variant(dict(zip(keys, values, strict=True)), same) for values, same in gathered.items()]


def write_runs(path: Path, runs: Sequence[Run]) -> Path:
    """A CSV with a row for each run: what differed, how it ended, its final and best figures."""
    keys = differing(runs)
    rows = []
    for run in runs:
        row: dict[str, Any] = {"run": run.name} | {key: run.overrides.get(key, "default") for key in keys}
        row |= {"status": run.status, "reason": run.reason or "", "steps": run.steps, "seconds": run.seconds}
        for figure in FIGURES:
            row |= {f"final {figure}": run.final(figure), f"best {figure}": run.best(figure)}
        rows.append(row)
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return write_atomically(path, as_text(table.getvalue()))


def best_run(runs: Sequence[Run]) -> Run | None:
    """The finished run whose last LSD above the cutoff is least, if any has one."""
    figure = next(iter(FIGURES))
    measured = [run for run in runs if run.status == FINISHED and run.final(figure) is not None]
    return min(measured, key=lambda run: badness(figure, run.final(figure) or 0.0), default=None)


def unfinished(runs: Sequence[Run]) -> list[Run]:
    """The runs that did not come to their end."""
    return [run for run in runs if run.status != FINISHED]
