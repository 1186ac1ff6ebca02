"""Training that a clock ends, and the record of that clock by which it can be repeated."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from saga_sr.core.errors import ConfigError
from saga_sr.training.schedules import WarmupCosine

# In a run's folder: a line `step,seconds` for each step that was begun.
RECORD = "clock.csv"


class TimeBudget(Callback):
    """Ends training once its time is spent, and tells the schedule at each step how much is.

    What the clock says is noted in the run's folder, step by step. A step that is noted already, by an attempt that was
    killed after it, is told again what it was told then, and the clock goes on from where the notes end: repeated steps
    are exactly what they were, and the time between two attempts does not count. All ranks go by the first one's clock.

    Args:
        max_time: days, hours, minutes and seconds of training, `DD:HH:MM:SS`.
        folder: of the run.

    Raises:
        ConfigError: a time that cannot be read.
    """

    def __init__(self, max_time: str, folder: Path) -> None:
        self.budget_s = seconds(max_time)
        self.record = folder / RECORD
        self.noted: dict[int, float] = {}
        self.spent_s = 0.0
        self.began = 0.0
        self.step = -1

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.step = -1
        self.noted = read_clock(self.record)
        self.began = time.monotonic() - self.spent_s
        self._end(trainer)

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self.step:
            return  # in the midst of accumulating
        self.step = trainer.global_step
        if trainer.is_global_zero:
            self._read_clock()
        self.spent_s = trainer.strategy.broadcast(self.spent_s)
        for entry in trainer.lr_scheduler_configs:
            if isinstance(entry.scheduler, WarmupCosine):
                entry.scheduler.time_spent = self.spent_s / self.budget_s

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._end(trainer)

    def state_dict(self) -> dict[str, Any]:
        return {"spent_s": self.spent_s}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.spent_s = state_dict["spent_s"]

    def _read_clock(self) -> None:
        if self.step in self.noted:
            self.spent_s = self.noted[self.step]
            self.began = time.monotonic() - self.spent_s
            return
        self.spent_s = time.monotonic() - self.began
        with self.record.open("a") as file:
            file.write(f"{self.step},{self.spent_s}\n")

    def _end(self, trainer: lightning.Trainer) -> None:
        if self.spent_s >= self.budget_s:
            trainer.should_stop = True


def read_clock(record: Path) -> dict[int, float]:
    """Seconds that were spent when each step began, from a run's `clock.csv`; a line that a kill cut off is removed."""
    text = record.read_text() if record.is_file() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        record.write_text(whole)
    lines = (line.split(",") for line in whole.splitlines())
    return {int(step): float(spent) for step, spent in lines}


def seconds(max_time: str) -> float:
    """What `DD:HH:MM:SS` says.

    Raises:
        ConfigError: it cannot be read, or is no time at all.
    """
    parts = str(max_time).split(":")
    numbers = [int(part) for part in parts if part.isdigit()]
    if len(parts) != 4 or len(numbers) != 4 or not any(numbers):
        raise ConfigError(f"trainer.max_time={max_time!r} cannot be read; write days:hours:minutes:seconds.")
    days, hours, minutes, last = numbers
    return ((days * 24 + hours) * 60 + minutes) * 60.0 + last
