"""Training from latents that were prepared before."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import numpy as np
import soundfile
import torch
from safetensors.torch import load
from torch.nn.functional import pad
from torch.utils.data import Dataset

from saga_sr.codecs.prepared import LatentStatistics
from saga_sr.core.errors import ConfigError, DataError
from saga_sr.data.audio_data import AudioData, Measured
from saga_sr.data.shards import STATISTICS, SUMMARY, TRAIN, VALIDATION, Shards, fetch

logger = logging.getLogger(__name__)


class LatentCrops(Dataset[dict[str, Any]]):
    """Random crops of prepared clips; item `i` depends on (seed, i) alone.

    Every epoch of the shards holds each clip once, in one of its low-passed versions.

    Args:
        shards: of training.
        frames: length of a crop.
        hop_length: samples of a frame.
        seed: of order, versions and crops.
        window: see `Shards.shuffled`.
    """

    def __init__(self, shards: Shards, frames: int, hop_length: int, seed: int, window: int) -> None:
        self.shards = shards
        self.frames = frames
        self.hop_length = hop_length
        self.seed = seed
        self.window = window

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`{"z_hr", "z_lr": raw [latent_dim, frames], "cutoff_hz", "edge_hz", "measured", "index", "caption",
        "name"}`.

        `measured` is what conditions found in the wide-band clip and in the low-passed one, by name: `hr` and `lr`.

        Raises:
            DataError: too much of the data is damaged.
        """
        epoch, position = divmod(index, len(self.shards))
        rng = np.random.default_rng([self.seed, index])
        item = self.shards.get(int(self.shards.shuffled(epoch, self.seed, self.window)[position]), rng)
        latents = item["latents"]
        version = int(rng.integers(1, len(latents)))
        # A short recording is padded at its end.
        sounding = min(-(-int(item["sounding"]) // self.hop_length), latents.shape[-1])
        start = int(rng.integers(max(sounding - self.frames, 0) + 1))
        crop = latents[..., start : start + self.frames]
        return {
            # Copies: a shard is not to be held for a crop of it.
            "z_hr": crop[0].clone(),
            "z_lr": crop[version].clone(),
            "cutoff_hz": item["cutoff_hz"][version].clone(),
            "edge_hz": item["cutoff_hz"][0].clone(),
            "measured": {
                side: {name: found[row].clone() for name, found in item["measured"].items()}
                for side, row in (("hr", 0), ("lr", version))
            },
            "index": index,
            "caption": item["caption"],
            "name": item["name"],
        }


class HeldOutClips(Dataset[dict[str, Any]]):
    """Random crops of held-out audio; item `i` depends on (seed, i) alone.

    Args:
        shards: of validation.
        size: number of items.
        num_samples: length of a crop; shorter clips are padded with silence.
        seed: of the crops.
    """

    def __init__(self, shards: Shards, size: int, num_samples: int, seed: int) -> None:
        self.shards = shards
        self.size = size
        self.num_samples = num_samples
        self.seed = seed

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`{"hr": [c, num_samples], "edge_hz", "index", "caption", "name"}`.

        Raises:
            IndexError: no such item.
            DataError: too much of the data is damaged.
        """
        if not 0 <= index < self.size:
            raise IndexError(f"clip {index} of {self.size}")
        rng = np.random.default_rng([self.seed, index])
        item = self.shards.get(int(rng.integers(len(self.shards))), rng)
        samples, _ = soundfile.read(io.BytesIO(item["audio"]), dtype="float32", always_2d=True)
        audio = torch.from_numpy(np.ascontiguousarray(samples.T))
        start = int(rng.integers(max(audio.shape[-1] - self.num_samples, 0) + 1))
        audio = audio[:, start : start + self.num_samples]
        hr = pad(audio, (0, self.num_samples - audio.shape[-1]))
        edge_hz = torch.tensor(item["edge_hz"], dtype=torch.float32)
        return {"hr": hr, "edge_hz": edge_hz, "index": index, "caption": item["caption"], "name": item["name"]}


class LatentData(AudioData):
    """What `saga-sr prepare` has made, from a folder or from object storage.

    Training reads latents; validation listens, so it has audio, of other files.

    Args:
        path: the folder, or its address, like `s3://bucket/folder`.
        shuffle_shards: how far the order of items departs from that of the shards.
        cache: folder for shards from object storage; null is litdata's.
        **settings: see `AudioData`.
    """

    def __init__(self, path: str, shuffle_shards: int, cache: str | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        if shuffle_shards < 1:
            raise ConfigError(f"data.shuffle_shards={shuffle_shards} must be at least 1.")
        self.path = path.rstrip("/")
        self.shuffle_shards = shuffle_shards
        self.cache = cache
        self._summary: dict[str, Any] | None = None
        self._shards: dict[str, Shards] = {}

    @property
    def summary(self) -> dict[str, Any]:
        """What was prepared."""
        if self._summary is None:
            self._summary = json.loads(fetch(self.path, SUMMARY))
        return self._summary

    def shards(self, side: str) -> Shards:
        """Those of one side of the split.

        Raises:
            ConfigError: another sampling rate.
            DataError: prepared by a version that stored less.
        """
        rate = self.summary["settings"]["sample_rate"]
        if rate != self.sample_rate:
            raise ConfigError(
                f"sample_rate={self.sample_rate} but {self.path} was prepared at {rate} Hz; choose its codec."
            )
        if "conditions" not in self.summary["settings"]:
            raise DataError(
                f"{self.path} was prepared by saga-sr {self.summary['saga_sr']}, which stored too little for "
                "conditions; prepare it anew."
            )
        if side not in self._shards:
            self._shards[side] = Shards(f"{self.path}/{side}", self.cache)
        return self._shards[side]

    def train_dataset(self) -> Dataset[dict[str, Any]]:
        hop_length, longest = (self.summary["settings"][name] for name in ("hop_length", "num_samples"))
        if self.num_samples > longest:
            raise ConfigError(
                f"data.num_samples={self.num_samples} is longer than the clips of {self.path}; give at most {longest}, "
                "or prepare longer ones."
            )
        frames = self.num_samples // hop_length
        if frames < 1:
            raise ConfigError(
                f"data.num_samples={self.num_samples} is shorter than a frame; give {hop_length} or more."
            )
        return LatentCrops(self.shards(TRAIN), frames, hop_length, self.seed, self.shuffle_shards)

    def held_out_dataset(self, size: int, num_samples: int, seed: int) -> Dataset[dict[str, Any]]:
        return HeldOutClips(self.shards(VALIDATION), size, num_samples, seed)

    def fit_statistics(self, model: Measured, clips: int, normalise: bool) -> None:
        statistics = LatentStatistics.from_tensors(load(fetch(self.path, STATISTICS)))
        model.recall_statistics(statistics, self.path, normalise)

    def teardown(self, stage: str) -> None:
        """Say how much of the data could not be used."""
        for side, shards in self._shards.items():
            count = int(shards.replaced)
            if count:
                logger.warning("%d items of %s in %s were damaged or lost and others taken.", count, side, self.path)

    def describe(self) -> str:
        hours, files = self.summary["hours"], self.summary["files"]
        return (
            f"Latents prepared from {files['train']} recordings ({hours['train']:.3g} h) for training, and "
            f"{files['validation']} ({hours['validation']:.3g} h) held out."
        )
