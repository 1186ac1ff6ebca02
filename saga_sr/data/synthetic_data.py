"""The built-in generator as the data of a run."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from saga_sr.data.audio_data import ENDLESS, START_METHOD, AudioData, yield_to_training
from saga_sr.data.pool import ClipPool
from saga_sr.synthesis.dataset import SyntheticAudio


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
                worker_init_fn=yield_to_training,
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
