"""Checkpoints that are whole or absent."""

from __future__ import annotations

import io
import math
import os
import time
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint

from saga_sr.core.run_folder import newest_first
from saga_sr.core.sharded_checkpoint import join


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint aside, on the same disk, and renames it once it has reached the disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Save `checkpoint` to `path`."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        aside = target.with_name(f".{target.name}.part")
        try:
            with aside.open("wb") as file:
                file.write(buffer.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint, one in parts as a whole."""
        if Path(path).is_dir():
            return join(Path(path))
        return super().load_checkpoint(path, map_location, weights_only)


class CheckpointBetweenSteps(Checkpoint):
    """Saves the state after the last step, from `on_train_batch_start` of the next one.

    Only there the step is over: its figures are logged, validation has run where it was due, and a new epoch has begun
    where one ended. The batch that has been fetched by then is left out: a run that goes on fetches it again.
    """

    _between_steps = False

    def save_between_steps(self, trainer: lightning.Trainer, path: Path) -> None:
        """Save to `path`; to be called before a batch is trained on."""
        self._between_steps = True
        try:
            trainer.save_checkpoint(path)
        finally:
            self._between_steps = False

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Say in the checkpoint what held at the end of the last batch: a place that Lightning can go on from."""
        if not self._between_steps:
            return
        loops = checkpoint["loops"]["fit_loop"]
        batches = loops["epoch_loop.batch_progress"]
        for counted in (batches["current"], batches["total"]):
            counted["ready"] -= 1
            # Lightning counts the last batch as completed when it goes on.
            counted["completed"] -= 1
        batches["is_last_batch"] = False
        # The loggers' step, which it counts on likewise.
        loops["epoch_loop.state_dict"]["_batches_that_stepped"] -= 1


class NewestCheckpoints(CheckpointBetweenSteps):
    """Saves every so many steps and after the last one, and keeps the newest, so that a damaged one has one before it.

    An attempt's first checkpoint comes early, whatever `every` is: on a slow machine that may be hours.

    Args:
        folder: for `step-<n>.ckpt`.
        every: optimiser steps between two.
        keep: how many are kept.
        first_after_s: seconds of training after which the first one of an attempt is due; null waits for `every`.
    """

    def __init__(self, folder: str, every: int, keep: int = 2, first_after_s: float | None = None) -> None:
        self.folder = Path(folder)
        self.every = every
        self.keep = keep
        self.first_after_s = first_after_s
        self.first_is_due = math.inf
        self.step = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.step = trainer.global_step
        self.first_is_due = math.inf if self.first_after_s is None else time.monotonic() + self.first_after_s

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self.step:
            return  # nothing new, or in the midst of accumulating
        self.step = trainer.global_step
        if self.step % self.every == 0 or self._first_is_due(trainer):
            self.save_between_steps(trainer, self._path(self.step))
            self._keep_newest(trainer)

    def _first_is_due(self, trainer: lightning.Trainer) -> bool:
        if self.first_is_due == math.inf:
            return False
        # Clocks differ between ranks, and all of them save.
        return trainer.strategy.reduce_boolean_decision(time.monotonic() >= self.first_is_due, all=False)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # Later, the averaged weights take the place of the trained ones.
        if trainer.global_step == trainer.max_steps or trainer.should_stop:
            trainer.save_checkpoint(self._path(trainer.global_step))
            self._keep_newest(trainer)

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step}.ckpt"

    def _keep_newest(self, trainer: lightning.Trainer) -> None:
        self.first_is_due = math.inf
        if trainer.is_global_zero:
            for old in newest_first(self.folder)[self.keep :]:
                trainer.strategy.remove_checkpoint(old)
