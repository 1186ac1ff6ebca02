"""Exponential moving average of the weights: Lightning's callback with a decay that grows at the start."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import lightning
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn

from saga_sr.core.errors import ConfigError
from saga_sr.training.sharding import Sharded, own_part


def growing_average(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor | int], None]:
    """The update average <- d average + (1 - d) current with d = min(decay, (1 + n) / (10 + n)) after n updates.

    The start at a low decay forgets the random initial weights at once (Tensorflow's `num_updates` rule).
    """

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        n = int(count)
        ours, theirs = ([own_part(tensor) for tensor in tensors] for tensors in (averaged, current))
        torch._foreach_lerp_(ours, theirs, 1 - min(decay, (1 + n) / (10 + n)))

    return update


class EMA(WeightAveraging):
    """EMA of the trainable weights, used for validation, in the checkpoint's `state_dict` and in the model package.

    Args:
        decay: final decay per optimiser step.
    """

    def __init__(self, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ConfigError(f"ema.decay={decay} must lie in [0, 1).")
        # Buffers (a codec's statistics) are copied, not averaged.
        super().__init__(use_buffers=False, multi_avg_fn=growing_average(decay))

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        # The model is moved to its device only later, and an average elsewhere would cost a copy of it every step.
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Share the average out as the weights are by now; it has been loaded, too."""
        if isinstance(trainer.strategy, Sharded) and self._average_model is not None:
            trainer.strategy.shard(cast(nn.Module, self._average_model.module))
