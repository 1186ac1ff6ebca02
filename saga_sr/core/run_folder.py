"""What a training run leaves in its folder, read back: its record and its curves."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RECORD = "run.json"
RUNNING, FINISHED, FAILED, STOPPED = "running", "finished", "failed", "stopped"


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of the run in `folder`, or None where there is none that can be read."""
    try:
        return json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return None


def read_curves(folder: Path) -> Mapping[str, list[tuple[float, float]]]:
    """Each logged figure of the run in `folder` as (step, value), by name; of a step logged twice, the later value."""
    log = folder / "csv" / "metrics.csv"
    if not log.is_file():
        return {}
    points: dict[str, dict[float, float]] = {}
    with log.open(newline="") as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if value and name != "step":
                    points.setdefault(name, {})[float(row["step"])] = float(value)
    return {name: sorted(values.items()) for name, values in points.items()}
