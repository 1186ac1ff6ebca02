"""A callback by which a process of a training is sent a signal."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback


class SignalledOnce(Callback):
    """A signal to one rank as it begins a step, the first time that it does.

    Args:
        rank: the one that is sent it.
        step: of the optimiser.
        done: a file that says that it has been.
        number: of the signal; SIGKILL unless given.
    """

    def __init__(self, rank: int, step: int, done: str, number: int = signal.SIGKILL) -> None:
        self.rank, self.step, self.done, self.number = rank, step, Path(done), number

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_rank == self.rank and trainer.global_step == self.step and not self.done.exists():
            self.done.touch()
            os.kill(os.getpid(), self.number)
