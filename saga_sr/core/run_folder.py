"""What a training run leaves in its folder, read back: its record, its curves and its checkpoints."""

from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

RECORD = "run.json"
RUNNING, FINISHED, FAILED, STOPPED = "running", "finished", "failed", "stopped"


def is_run(folder: Path) -> bool:
    """Whether `folder` is that of a training run."""
    return (folder / "config.yaml").is_file() and any((folder / name).exists() for name in (RECORD, "checkpoints"))


def run_of(model: Path) -> Path:
    """The folder of the run whose package, checkpoint or folder `model` is; of one from elsewhere, its own path."""
    path = model.absolute()
    return next((folder for folder in (path, path.parent, path.parent.parent) if is_run(folder)), path)


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


def is_sharded(path: Path) -> bool:
    """Whether `path` is a checkpoint in parts, see `core/sharded_checkpoint.py`."""
    return (path / "rest.ckpt").is_file()


def newest_whole(folder: Path) -> Path | None:
    """The checkpoint in `folder` with the most steps that can be read; damaged ones are named and passed over."""
    for path in newest_first(folder):
        if _is_whole(path):
            return path
        logger.warning("%s is damaged and passed over.", path)
    return None


def newest_first(folder: Path) -> list[Path]:
    """The checkpoints in `folder` that are named by their step, that of the most steps first."""
    steps = {path: re.fullmatch(r"step-(\d+)\.ckpt", path.name) for path in folder.glob("step-*.ckpt")}
    known = {path: int(match[1]) for path, match in steps.items() if match}
    return sorted(known, key=lambda path: known[path], reverse=True)


def _is_whole(path: Path) -> bool:
    import torch

    from saga_sr.core import sharded_checkpoint

    if path.is_dir():
        return sharded_checkpoint.is_whole(path)
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:
        # torch.load raises whatever the broken bytes lead it to.
        return False
    return True
