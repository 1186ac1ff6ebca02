"""Checkpoints that are whole or absent."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint

from saga_sr.core.run_folder import newest_first


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


def save_between_steps(trainer: lightning.Trainer, path: Path) -> None:
    """Save the state after the last step, from a callback's `on_train_batch_start`.

    Only there the step is over: its figures are logged, validation has run where it was due, and a new epoch has begun
    where one ended. The batch that has been fetched by then is left out: a run that goes on fetches it again.
    """
    loop = trainer.fit_loop.epoch_loop
    progress = loop.batch_progress
    is_last = progress.is_last_batch
    trackers = (progress.current, progress.total)
    # As at the end of the last batch: the place in a step that Lightning can go on from.
    for tracker in trackers:
        tracker.ready -= 1
        tracker.completed -= 1
    loop._batches_that_stepped -= 1
    progress.is_last_batch = False
    try:
        trainer.save_checkpoint(path)
    finally:
        for tracker in trackers:
            tracker.ready += 1
            tracker.completed += 1
        loop._batches_that_stepped += 1
        progress.is_last_batch = is_last


class NewestCheckpoints(Checkpoint):
    """Saves every so many steps and after the last one, and keeps the newest, so that a damaged one has one before it.

    Args:
        folder: for `step-<n>.ckpt`.
        every: optimiser steps between two.
        keep: how many are kept.
    """

    def __init__(self, folder: str, every: int, keep: int = 2) -> None:
        self.folder = Path(folder)
        self.every = every
        self.keep = keep
        self.saved_step = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.saved_step = trainer.global_step

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if step != self.saved_step and step % self.every == 0:
            save_between_steps(trainer, self._path(step))
            self._keep_newest(trainer)

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
        self.saved_step = trainer.global_step
        if trainer.is_global_zero:
            for old in newest_first(self.folder)[self.keep :]:
                trainer.strategy.remove_checkpoint(old)
