"""Stopping on request: SIGTERM or Ctrl-C ends a run after the step that it is at, with a checkpoint."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import lightning

from saga_sr.training.checkpoints import CheckpointBetweenSteps


class Preempted(BaseException):
    """Training was asked to stop and has saved itself; `status` is the process's exit status."""

    def __init__(self, step: int, number: int) -> None:
        super().__init__(f"Stopped by {signal.Signals(number).name} at step {step}")
        self.status = 128 + number


class StopOnRequest(CheckpointBetweenSteps):
    """Saves a checkpoint and raises `Preempted` after SIGTERM or Ctrl-C, on all ranks at the same step.

    A second Ctrl-C stops at once. (A `Checkpoint` comes after all other callbacks, whose state it saves.)

    Args:
        folder: where the checkpoint goes.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.requested = 0  # the signal's number
        self.step = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # In place of Lightning's handler, which communicates in the midst of whatever the ranks are doing.
        self.requested, self.step = 0, trainer.global_step
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self.step:
            return  # in the midst of accumulating
        self.step = trainer.global_step
        if trainer.strategy.reduce_boolean_decision(bool(self.requested), all=False):
            self.save_between_steps(trainer, self.folder / f"step-{trainer.global_step}.ckpt")
            raise Preempted(trainer.global_step, self.requested or signal.SIGTERM)

    def _note(self, signum: int, frame: Any) -> None:
        self.requested = signum
        signal.signal(signal.SIGINT, signal.default_int_handler)
