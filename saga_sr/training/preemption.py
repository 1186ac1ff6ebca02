"""Stopping on request: SIGTERM, Ctrl-C or a cluster end a run after the step that it is at, with a checkpoint."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning

from saga_sr.training.checkpoints import CheckpointBetweenSteps

# By this submitit hears that a job's time on a cluster is over, and requeues it; Windows has no such signal.
REQUEUE = getattr(signal, "SIGUSR2", None)
Listener = Callable[[int, Any], Any]


def requeue_listener() -> Listener | None:
    """Who listens to `REQUEUE` in this process, if anybody does; to all others it would be the end."""
    listener = signal.getsignal(REQUEUE) if REQUEUE is not None else None
    return listener if callable(listener) else None


class Preempted(BaseException):
    """Training was asked to stop and has saved itself; `status` is the process's exit status."""

    def __init__(self, step: int, number: int, listener: Listener | None = None) -> None:
        super().__init__(f"Stopped by {signal.Signals(number).name} at step {step}")
        self.status = 128 + number
        self.number, self.listener = number, listener

    def hand_on(self) -> None:
        """Tell whoever listened to the signal before, now that all is saved: it requeues the job and exits."""
        if self.listener is not None:
            self.listener(self.number, None)


class StopOnRequest(CheckpointBetweenSteps):
    """Saves a checkpoint and raises `Preempted` after SIGTERM, Ctrl-C or `REQUEUE`, on all ranks at the same step.

    A second Ctrl-C stops at once. (A `Checkpoint` comes after all other callbacks, whose state it saves.)

    Args:
        folder: where the checkpoint goes.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.requested = 0  # the signal's number
        self.step = 0
        self.listener: Listener | None = None

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # In place of Lightning's handler, which communicates in the midst of whatever the ranks are doing.
        self.requested, self.step = 0, trainer.global_step
        self.listener = requeue_listener()
        for number in (signal.SIGTERM, signal.SIGINT, *([REQUEUE] if REQUEUE and self.listener else [])):
            signal.signal(number, self._note)

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self.step:
            return  # in the midst of accumulating
        self.step = trainer.global_step
        if trainer.strategy.reduce_boolean_decision(bool(self.requested), all=False):
            self.save_between_steps(trainer, self.folder / f"step-{trainer.global_step}.ckpt")
            number = self.requested or signal.SIGTERM
            raise Preempted(trainer.global_step, number, self.listener if number == REQUEUE else None)

    def _note(self, signum: int, frame: Any) -> None:
        self.requested = signum
        signal.signal(signal.SIGINT, signal.default_int_handler)
