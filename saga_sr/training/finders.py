"""What a training is asked before it is begun in earnest, by Lightning's tuner: a learning rate, and a batch size."""

from __future__ import annotations

import io
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import lightning
from lightning.pytorch.tuner import Tuner

from saga_sr.core.atomic_file import write_atomically
from saga_sr.core.errors import ConfigError, TrainingError
from saga_sr.data.audio_data import AudioData
from saga_sr.pages.curves import learning_rate_panel
from saga_sr.training.module import FlowMatchingModule

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)


class Finder(ABC):
    """Takes the place of training: takes a few steps of a run, and says what they tell."""

    @abstractmethod
    def find(
        self, trainer: lightning.Trainer, module: FlowMatchingModule, data: AudioData, output: Path
    ) -> dict[str, float]:
        """What was found, by the name of the setting; the weights are left as they were.

        Raises:
            SagaError: nothing was, or it cannot be found so.
        """


class LearningRate(Finder):
    """Raises the rate from step to step, and suggests the one where the smoothed loss falls fastest over it.

    The losses are written to `learning_rate.csv` and `learning_rate.png` in the run's folder.

    Args:
        lowest, highest: where the rates begin and end; between them they grow by the same factor at each step.
        steps: how many; fewer are taken if the loss grows to four times its least.
    """

    def __init__(self, lowest: float, highest: float, steps: int) -> None:
        if not 0 < lowest < highest:
            raise ConfigError(f"find.lowest={lowest} must be above 0 and below find.highest={highest}.")
        self.lowest, self.highest, self.steps = lowest, highest, steps

    def find(
        self, trainer: lightning.Trainer, module: FlowMatchingModule, data: AudioData, output: Path
    ) -> dict[str, float]:
        found = Tuner(trainer).lr_find(
            module, datamodule=data, min_lr=self.lowest, max_lr=self.highest, num_training=self.steps, update_attr=False
        )
        best = found.suggestion() if found is not None else None
        if found is None or best is None:
            raise TrainingError(f"find.steps={self.steps} are too few to tell a learning rate by; take 30 or more.")
        rates, losses = found.results["lr"], found.results["loss"]
        if trainer.is_global_zero:
            rows = (f"{rate},{loss}\n" for rate, loss in zip(rates, losses, strict=False))
            write_atomically(output / "learning_rate.csv", "".join(["learning_rate,loss\n", *rows]))
            picture = io.BytesIO()
            learning_rate_panel(rates, losses, best).savefig(picture, format="png", facecolor="white")
            write_atomically(output / "learning_rate.png", picture.getvalue())
        logger.info(
            "The loss falls fastest at optimizer.lr=%.2g, of %d rates from %.2g to %.2g: see %s",
            *(best, len(losses), rates[0], rates[len(losses) - 1], output / "learning_rate.png"),
        )
        return {"optimizer.lr": best}


class BatchSize(Finder):
    """Doubles the batch until a step needs more memory than there is, and closes in on the largest that fits.

    Of that, a twentieth is left free. On a CPU, memory is at an end where nine tenths are used of what was free.

    Args:
        steps: of each size.
        largest: that is tried.
    """

    def __init__(self, steps: int, largest: int) -> None:
        self.steps, self.largest = steps, largest

    def find(
        self, trainer: lightning.Trainer, module: FlowMatchingModule, data: AudioData, output: Path
    ) -> dict[str, float]:
        if trainer.world_size > 1:
            raise ConfigError("debug=batch_size looks for what fits on one device; add trainer.devices=1.")
        module.may_take_parts = False
        with memory_that_ends() if trainer.strategy.root_device.type == "cpu" else nullcontext():
            found = Tuner(trainer).scale_batch_size(
                module, datamodule=data, mode="binsearch", steps_per_trial=self.steps, init_val=1, max_val=self.largest
            )
        size = int(found or 1)
        more = "; larger ones were not tried" if size >= self.largest else ""
        logger.info("The largest batch that fits with a little to spare is data.batch_size=%d%s.", size, more)
        return {"data.batch_size": float(size)}


@contextmanager
def memory_that_ends() -> Iterator[None]:
    """Let allocations fail, as on a GPU, once nine tenths are used of the memory that is free now.

    Linux would end the process instead, or others; on other systems nothing is changed.
    """
    free, used = _kilobytes("/proc/meminfo", "MemAvailable"), _kilobytes("/proc/self/status", "VmData")
    if resource is None or not free or not used:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = 1024 * (used + 9 * free // 10)
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _kilobytes(file: str, name: str) -> int:
    """What a file of Linux's says under `name`; 0 where it does not."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
