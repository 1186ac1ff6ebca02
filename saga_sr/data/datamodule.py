"""The data of a run: training crops without end, a fixed validation set, and whole clips for evaluation."""

from __future__ import annotations

import logging
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from saga_sr.codecs.prepared import LatentStatistics
from saga_sr.core.errors import ConfigError, DataError
from saga_sr.data.captions import Captions, read_captions
from saga_sr.data.folder import AudioFolder, Split, split_folder
from saga_sr.data.pool import ClipPool
from saga_sr.data.sampler import EpochSampler
from saga_sr.synthesis.dataset import SyntheticAudio

logger = logging.getLogger(__name__)

# Seeds of the held-out sides: the same in every run, so that runs of different seeds are measured on the same clips.
VALIDATION, EVALUATION = 1_000_003, 2_000_003
# Training sets are as long as any run; an epoch is a stretch of them.
ENDLESS = 2**31
STATISTICS_BATCH = 8
# Named, since inside joblib's processes the default is a method that loaders cannot use.
START_METHOD = "fork" if sys.platform == "linux" else "spawn"


def _yield_to_training(worker: int) -> None:
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

    def state_dict(self) -> dict[str, Any]:
        """Where in the data training is."""
        assert self.trainer is not None
        # Of a type that Lightning keeps to itself.
        total: Any = self.trainer.fit_loop.epoch_loop.batch_progress.total
        return {"batches_seen": total.processed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after the batches that were seen."""
        self.batches_seen = state_dict["batches_seen"]

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
        return self._loader(self.train_dataset(), sampler=sampler, drop_last=True)

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
            worker_init_fn=_yield_to_training,
            multiprocessing_context=START_METHOD if workers else None,
            **settings,
        )


class SyntheticData(AudioData):
    """The built-in generator: nothing to download.

    Args:
        pool_clips: number of clips made before training, whose random crops are then trained on; 0 makes a fresh clip
            for every item, which costs a core about 10 ms per second of audio.
        pool_seconds: length of the pool's clips.
        **settings: see `AudioData`.
    """

    def __init__(self, pool_clips: int, pool_seconds: float, **settings: Any) -> None:
        super().__init__(**settings)
        self.pool_clips = pool_clips
        self.pool_samples = max(round(pool_seconds * self.sample_rate), self.num_samples)
        self._pool: ClipPool | None = None

    def train_dataset(self) -> Dataset[dict[str, Any]]:
        if not self.pool_clips:
            return self._made(ENDLESS, self.num_samples, self.seed)
        if self._pool is None:
            made = DataLoader(
                self._made(self.pool_clips, self.pool_samples, self.seed),
                batch_size=4,
                num_workers=min(os.cpu_count() or 1, 8),
                worker_init_fn=_yield_to_training,
                multiprocessing_context=START_METHOD,
            )
            batches = list(tqdm(made, desc="Making clips", unit_scale=4, unit="clip", delay=2, leave=False))
            clips = torch.cat([batch["hr"] for batch in batches])
            captions = [caption for batch in batches for caption in batch["caption"]]
            self._pool = ClipPool(clips, captions, ENDLESS, self.num_samples, self.seed)
        return self._pool

    def held_out_dataset(self, size: int, num_samples: int, seed: int) -> Dataset[dict[str, Any]]:
        return self._made(size, num_samples, seed)

    def _made(self, size: int, num_samples: int, seed: int) -> SyntheticAudio:
        return SyntheticAudio(
            size=size,
            num_samples=num_samples,
            sample_rate=self.sample_rate,
            seed=seed,
            channels=self.channels,
        )

    def describe(self) -> str:
        return "Synthetic music, percussion and speech-like sounds from the generator that comes with saga-sr."


class FolderData(AudioData):
    """A user's own recordings, split by file.

    Args:
        path: folder with audio files, searched recursively.
        validation_fraction: share of the files held out; at least one file.
        captions: a file with captions of the recordings, which wins over those in the folder (see `read_captions`).
        **settings: see `AudioData`.
    """

    def __init__(self, path: str, validation_fraction: float, captions: str | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        if not 0 < validation_fraction < 1:
            raise ConfigError(f"data.validation_fraction={validation_fraction} must lie between 0 and 1.")
        self.path = path
        self.validation_fraction = validation_fraction
        self.captions_file = captions
        self.captions = Captions()
        self._split: Split | None = None

    @property
    def split(self) -> Split:
        """The files of both sides; the folder is scanned once."""
        if self._split is None:
            # Not by the run's seed: what one run holds out, no other run may have trained on.
            split = split_folder(self.path, self.validation_fraction, seed=0)
            self._caption(split.readable)
            self._split = split
        return self._split

    def _caption(self, files: list[Path]) -> None:
        self.captions = read_captions(self.path, files, self.captions_file)
        without = sum(path not in self.captions for path in files)
        # Most people train without captions.
        if without < len(files):
            logger.info("%d of %d recordings have no caption.", without, len(files))

    def train_dataset(self) -> Dataset[dict[str, Any]]:
        files = self.split.train
        return AudioFolder(files, ENDLESS, self.num_samples, self.sample_rate, self.seed, self.channels, self.captions)

    def held_out_dataset(self, size: int, num_samples: int, seed: int) -> Dataset[dict[str, Any]]:
        files = self.split.validation
        return AudioFolder(files, size, num_samples, self.sample_rate, seed, self.channels, self.captions)

    def describe(self) -> str:
        train, validation = (
            sum(info.duration_s for info in side) / 60 for side in (self.split.train, self.split.validation)
        )
        return (
            f"{len(self.split.train)} recordings ({train:.1f} min) for training and {len(self.split.validation)} "
            f"({validation:.1f} min) held out."
        )
