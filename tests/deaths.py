"""A callback that kills its process in the midst of training."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback


class DiesOnce(Callback):
    """SIGKILL to one rank as it begins a step, the first time that it does.

    Args:
        rank: the one that dies.
        step: of the optimiser.
        died: a file that says that it has.
    """

    def __init__(self, rank: int, step: int, died: str) -> None:
        self.rank, self.step, self.died = rank, step, Path(died)

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_rank == self.rank and trainer.global_step == self.step and not self.died.exists():
            self.died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
