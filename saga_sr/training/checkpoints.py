"""Checkpoints that are whole or absent, and the newest of them."""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint

logger = logging.getLogger(__name__)


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


class NewestCheckpoints(Checkpoint):
    """Saves every so many steps and at the end, and keeps the newest, so that a damaged one has one before it.

    Where validation follows a step, the checkpoint is taken after it: a run that goes on from there has not lost it.

    Args:
        folder: for `step-<n>.ckpt`.
        every: optimiser steps between two.
        keep: how many are kept.
    """

    def __init__(self, folder: str, every: int, keep: int = 2) -> None:
        self.folder = Path(folder)
        self.every = every
        self.keep = keep
        self.last_step = 0
        self.due = False

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step, loop = trainer.global_step, trainer.fit_loop
        if step == self.last_step or step % self.every:
            return
        self.last_step = step
        assert loop._data_fetcher is not None
        self.due = loop.epoch_loop._should_check_val_fx(loop._data_fetcher)
        if not self.due:
            self._save(trainer)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.due:
            self._save(trainer)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.last_step != trainer.global_step:
            self._save(trainer)

    def _save(self, trainer: lightning.Trainer) -> None:
        self.due = False
        trainer.save_checkpoint(self.folder / f"step-{trainer.global_step}.ckpt")
        if trainer.is_global_zero:
            for old in _newest_first(self.folder.glob("step-*.ckpt"))[self.keep :]:
                trainer.strategy.remove_checkpoint(old)


def newest_whole(folder: Path) -> Path | None:
    """The checkpoint in `folder` with the most steps that can be read; damaged ones are named and passed over."""
    for path in _newest_first(folder.glob("*.ckpt")):
        if path.is_dir() or _is_whole(path):
            return path
        logger.warning("%s is damaged; the checkpoint before it is taken.", path)
    return None


def _newest_first(paths: Iterable[Path]) -> list[Path]:
    """The files named for their step, that of the most steps first."""
    steps = {path: re.fullmatch(r"(?:step|best)-(\d+)\.ckpt", path.name) for path in paths}
    known = {path: int(match[1]) for path, match in steps.items() if match}
    return sorted(known, key=lambda path: (known[path], path.stat().st_mtime), reverse=True)


def _is_whole(path: Path) -> bool:
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:
        # torch.load raises whatever the broken bytes lead it to.
        return False
    return True
