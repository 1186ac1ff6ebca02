"""How a run is doing: steps that went wrong are skipped and counted, and its speed is logged."""

from __future__ import annotations

import logging
import time
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from saga_sr.core.errors import TrainingError
from saga_sr.training.module import FlowMatchingModule
from saga_sr.training.sharding import whole

logger = logging.getLogger(__name__)


class SkipNonFinite(Callback):
    """Skips the step of a gradient that is NaN or infinite, and ends the run after too many in a row.

    The gradient is looked at after the ranks' are averaged, so that all of them skip the same steps. Nothing changes in
    a skipped step: neither weights nor the optimiser's moments.

    Args:
        most: how many steps in a row may be skipped.
    """

    def __init__(self, most: int = 10) -> None:
        self.most = most
        self.skipped = 0
        self.in_a_row = 0

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = whole(torch.nn.utils.get_total_norm([p.grad for p in parameters]))
        if bool(norm.isfinite()):
            self.in_a_row = 0
            return
        self.skipped += 1
        self.in_a_row += 1
        # An optimiser passes parameters without a gradient over.
        for parameter in parameters:
            parameter.grad = None
        pl_module.log("train/skipped_steps", float(self.skipped))
        if self.in_a_row > self.most:
            broken = [name for name, p in pl_module.named_parameters() if not bool(p.isfinite().all())]
            cause = f"the weights of {broken[0]} are not finite" if broken else "the weights are still finite"
            raise TrainingError(
                f"The gradient was NaN or infinite in {self.in_a_row} steps in a row, up to step "
                f"{trainer.global_step} ({cause}); lower optimizer.lr, or look for damaged recordings."
            )
        logger.warning("Step %d is skipped: its gradient is NaN or infinite.", trainer.global_step)

    def state_dict(self) -> dict[str, Any]:
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.skipped = state_dict["skipped"]


class Throughput(Callback):
    """Logs samples and seconds of audio per second over all ranks, the share of time spent waiting for data, and the
    device's memory.

    Args:
        every: batches between two entries.
    """

    def __init__(self, every: int = 10) -> None:
        self.every = every
        self._restart()

    def _restart(self) -> None:
        self.samples, self.audio_s, self.waited_s = 0, 0.0, 0.0
        self.begin = self.batch_end = time.perf_counter()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._restart()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # Validation is neither training nor waiting.
        self._restart()

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.waited_s += time.perf_counter() - self.batch_end

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.samples += len(batch["index"]) * trainer.world_size
        self.audio_s += cast(FlowMatchingModule, pl_module).seconds(batch) * trainer.world_size
        self.batch_end = time.perf_counter()
        if (trainer.fit_loop.total_batch_idx + 1) % self.every:
            return
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize()
            pl_module.log("system/device_memory_gb", torch.cuda.max_memory_allocated() / 2**30)
        elapsed = max(time.perf_counter() - self.begin, 1e-9)
        pl_module.log("system/samples_per_s", self.samples / elapsed)
        pl_module.log("system/audio_s_per_s", self.audio_s / elapsed)
        pl_module.log("system/waiting_for_data", self.waited_s / elapsed)
        self._restart()
