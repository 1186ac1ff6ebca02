"""The data of a run: training crops without end, a fixed validation set, and whole clips for evaluation."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from saga_sr.audio.degradation import Degradation
from saga_sr.codecs.prepared import LatentStatistics
from saga_sr.core.errors import ConfigError, DataError
from saga_sr.data.degraded import DegradedCrops
from saga_sr.data.sampler import EpochSampler

# Seeds of the held-out sides: the same in every run, so that runs of different seeds are measured on the same clips.
VALIDATION, EVALUATION = 1_000_003, 2_000_003
# Training sets are as long as any run; an epoch is a stretch of them.
ENDLESS = 2**31
STATISTICS_BATCH = 8
# Named, since inside joblib's processes the default is a method that loaders cannot use.
START_METHOD = "fork" if sys.platform == "linux" else "spawn"


def yield_to_training(worker: int) -> None:
    """Let training's own threads go first where cores are few: a worker only has to keep its queue filled."""
    os.nice(5)
    torch.set_num_threads(1)


class Measured(Protocol):
    """A model that learns what latents and roll-offs are like, from audio or from what was measured before."""

    def fit_statistics(self, batches: Iterable[Tensor], normalise: bool) -> None:
        """From batches of audio [b, c, time]."""

    def recall_statistics(self, statistics: LatentStatistics, where: str, normalise: bool) -> None:
        """From those of prepared latents in the folder `where`."""


class AudioData(lightning.LightningDataModule, ABC):
    """Loaders over data sets whose item `i` depends on a seed and `i` alone.

    Args:
        sample_rate: Hz.
        num_samples: length of a training crop.
        channels: 1 or 2.
        batch_size: per process.
        epoch_size: training items in an epoch, over all ranks.
        validation_size: validation items.
        num_workers: processes that make items; 0 makes them in the training process.
        seed: of the crops.
    """

    def __init__(
        self,
        sample_rate: int,
        num_samples: int,
        channels: int,
        batch_size: int,
        epoch_size: int,
        validation_size: int,
        num_workers: int,
        seed: int,
    ) -> None:
        super().__init__()
        if seed in (VALIDATION, EVALUATION):
            raise ConfigError(f"seed={seed} is that of held-out data; choose another.")
        for name, value in (("num_samples", num_samples), ("batch_size", batch_size)):
            if value < 1:
                raise ConfigError(f"data.{name}={value} must be at least 1.")
        self.sample_rate = sample_rate
        self.num_samples = num_samples
        self.channels = channels
        self.batch_size = batch_size
        self.epoch_size = epoch_size
        self.validation_size = validation_size
        self.num_workers = num_workers
        self.seed = seed
        self.batches_seen = 0
        self._degradation: tuple[Degradation, int] | None = None

    def state_dict(self) -> dict[str, Any]:
        """Where in the data training is."""
        assert self.trainer is not None
        # Of a type that Lightning keeps to itself.
        total: Any = self.trainer.fit_loop.epoch_loop.batch_progress.total
        return {"batches_seen": total.processed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after the batches that were seen."""
        self.batches_seen = state_dict["batches_seen"]

    def degrade(self, degradation: Degradation, first_seed: int) -> None:
        """Have training's crops degraded by whoever makes them, see `DegradedCrops`."""
        self._degradation = degradation, first_seed

    @abstractmethod
    def train_dataset(self) -> Dataset[dict[str, Any]]:
        """The training crops."""

    @abstractmethod
    def held_out_dataset(self, size: int, num_samples: int, seed: int) -> Dataset[dict[str, Any]]:
        """`size` crops that share nothing with training."""

    def fit_statistics(self, model: Measured, clips: int, normalise: bool) -> None:
        """Have `model` measure its latents (unless not to `normalise`) and roll-offs on the first `clips` crops."""
        if clips:
            batches = self.statistics_batches(clips)
            model.fit_statistics(tqdm(batches, desc="Statistics", delay=2, leave=False), normalise)

    @abstractmethod
    def describe(self) -> str:
        """What the data is, in a sentence for the model card."""

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        rank, world_size = self._place()
        batches = self.epoch_size // world_size // self.batch_size
        if batches < 1:
            raise DataError(
                f"data.epoch_size={self.epoch_size} gives no batch of {self.batch_size} on {world_size} process(es); "
                f"raise it to {self.batch_size * world_size} or more."
            )
        epoch, seen = divmod(self.batches_seen, batches)
        sampler = EpochSampler(self.epoch_size, rank, world_size, begin=(epoch, seen * self.batch_size))
        crops = self.train_dataset()
        data = crops if self._degradation is None else DegradedCrops(crops, *self._degradation)
        return self._loader(data, sampler=sampler, drop_last=True)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        data = self.held_out_dataset(self.validation_size, self.num_samples, VALIDATION)
        rank, world_size = self._place()
        if self.validation_size < world_size:
            raise DataError(
                f"data.validation_size={self.validation_size} leaves some of {world_size} processes without a clip; "
                f"raise it to {world_size} or more."
            )
        # The same number on every rank, since they measure together.
        items = range(self.validation_size - self.validation_size % world_size)[rank::world_size]
        return self._loader(data, num_workers=0, sampler=items)

    def _place(self) -> tuple[int, int]:
        """Rank and number of the processes that train."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def evaluation_clips(self, count: int, seconds: float) -> Dataset[dict[str, Any]]:
        """`count` held-out clips of `seconds`, others than the validation set's."""
        return self.held_out_dataset(count, round(seconds * self.sample_rate), EVALUATION)

    def statistics_batches(self, count: int) -> Iterator[Tensor]:
        """The first `count` training crops in batches [b, c, time], for a codec's statistics."""
        # Of a size of their own, so that the statistics do not depend on how training is shared out.
        loader = self._loader(self.train_dataset(), sampler=range(count), batch_size=STATISTICS_BATCH)
        return (batch["hr"] for batch in loader)

    def _loader(self, data: Dataset[dict[str, Any]], **settings: Any) -> DataLoader[dict[str, Any]]:
        workers = settings.pop("num_workers", self.num_workers)
        return DataLoader(
            data,
            batch_size=settings.pop("batch_size", self.batch_size),
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=workers > 0,
            worker_init_fn=yield_to_training,
            multiprocessing_context=START_METHOD if workers else None,
            **settings,
        )
