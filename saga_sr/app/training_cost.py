"""What a planned training costs: by shapes alone, and at the least in time on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch

from saga_sr.cli.command import sentences
from saga_sr.cli.settings import read_known
from saga_sr.core.hardware import pick_device
from saga_sr.inspection.cost import cost

# The machine's speed is measured on products of square matrices of this size.
SIZE, TRIES = 1024, 3


@dataclass(frozen=True)
class TrainingCost:
    """What a training costs.

    Attributes:
        parameters: that are trained.
        memory: bytes that a step takes, as if all were held at once.
        step_flops: operations of a step of the optimizer.
        steps: of the optimizer.
        audio_s: seconds of audio that go by in all.
        flops_per_s: of this machine, in products of large matrices.
        left_out: what is not counted, a sentence each.
    """

    parameters: int
    memory: int
    step_flops: float
    steps: int
    audio_s: float
    flops_per_s: float
    left_out: tuple[str, ...]

    @property
    def least_s(self) -> float:
        """Seconds that it takes at the least on this machine, were it all products of large matrices."""
        return self.step_flops * self.steps / self.flops_per_s


def training_cost(overrides: Sequence[str]) -> TrainingCost:
    """What the training with `overrides`, in Hydra's grammar, costs.

    Raises:
        SagaError: a model that cannot be built.
    """
    with sentences():
        config = read_known("inspect", overrides).config
        found = cost(config)
    per_step = found.batch_size * found.clip_s * int(config.trainer.accumulate_grad_batches)
    steps = int(config.trainer.max_steps)
    accelerator = "cpu" if config.trainer.accelerator == "cpu" else "auto"
    return TrainingCost(
        parameters=sum(found.parameters.values()),
        memory=sum(found.training_memory.values()),
        step_flops=found.training * per_step,
        steps=steps,
        audio_s=per_step * steps,
        flops_per_s=flops_per_s(accelerator),
        left_out=tuple(found.left_out),
    )


@cache
def flops_per_s(accelerator: str) -> float:
    """Operations that products of matrices do in a second here, the best of a few tries.

    Args:
        accelerator: `auto` or `cpu`.
    """
    device = pick_device(accelerator)
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    a, b = (torch.randn(SIZE, SIZE, device=device, dtype=dtype) for _ in range(2))
    best = 0.0
    for _ in range(TRIES):
        begin = time.perf_counter()
        (a @ b).sum().item()
        best = max(best, 2 * SIZE**3 / (time.perf_counter() - begin))
    return best
