"""Training from latents that were prepared before."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import soundfile
import torch
from torch.nn.functional import pad
from torch.utils.data import Dataset

from saga_sr.codecs.prepared import LatentStatistics
from saga_sr.core.errors import ConfigError
from saga_sr.data.audio_data import AudioData, Measured
from saga_sr.data.captions import said_at
from saga_sr.data.mixture import Mixture, corpora
from saga_sr.data.prepared import Prepared
from saga_sr.data.shard_order import ShardOrder
from saga_sr.data.shards import TRAIN, VALIDATION, Shards

logger = logging.getLogger(__name__)


class LatentCrops(Dataset[dict[str, Any]]):
    """Random crops of prepared clips; item `i` depends on (seed, i) alone.

    Every epoch of a corpus holds each clip once, in one of its low-passed versions.

    Args:
        shards: of training, of each corpus.
        orders: in which they are read.
        mixture: how corpora are mixed.
        frames: length of a crop.
        hop_length: samples of a frame.
        sample_rate: Hz.
        seed: of versions and crops.
    """

    def __init__(
        self,
        shards: Sequence[Shards],
        orders: Sequence[ShardOrder],
        mixture: Mixture,
        frames: int,
        hop_length: int,
        sample_rate: int,
        seed: int,
    ) -> None:
        self.shards = shards
        self.orders = orders
        self.mixture = mixture
        self.frames = frames
        self.hop_length = hop_length
        self.sample_rate = sample_rate
        self.seed = seed

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`{"z_hr", "z_lr": raw [latent_dim, frames], "cutoff_hz", "edge_hz", "measured", "index", "caption": that at
        the crop's middle, "name"}`.

        `measured` is what conditions found in the wide-band clip and in the low-passed one, by name: `hr` and `lr`.

        Raises:
            DataError: too much of the data is damaged.
        """
        corpus, own = self.mixture(index)
        rng = np.random.default_rng([self.seed, index])
        item = self.shards[corpus].get(self.orders[corpus][own], rng)
        latents = item["latents"]
        version = int(rng.integers(1, len(latents)))
        # A short recording is padded at its end.
        sounding = min(-(-int(item["sounding"]) // self.hop_length), latents.shape[-1])
        start = int(rng.integers(max(sounding - self.frames, 0) + 1))
        crop = latents[..., start : start + self.frames]
        middle_s = (start + min(self.frames, sounding) / 2) * self.hop_length / self.sample_rate
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
            "caption": said_at(json.loads(item["captions"]), middle_s),
            "name": item["name"],
        }


class HeldOutClips(Dataset[dict[str, Any]]):
    """Random crops of held-out audio; item `i` depends on (seed, i) alone.

    Args:
        shards: of validation, of each corpus.
        size: number of items.
        num_samples: length of a crop; shorter clips are padded with silence.
        seed: of the crops.
    """

    def __init__(self, shards: Sequence[Shards], size: int, num_samples: int, seed: int) -> None:
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
        ends = np.cumsum([len(shards) for shards in self.shards])
        drawn = int(rng.integers(ends[-1]))
        corpus = int(np.searchsorted(ends, drawn, side="right"))
        item = self.shards[corpus].get(drawn - int(ends[corpus] - len(self.shards[corpus])), rng)
        samples, rate = soundfile.read(io.BytesIO(item["audio"]), dtype="float32", always_2d=True)
        audio = torch.from_numpy(np.ascontiguousarray(samples.T))
        start = int(rng.integers(max(audio.shape[-1] - self.num_samples, 0) + 1))
        audio = audio[:, start : start + self.num_samples]
        caption = said_at(json.loads(item["captions"]), (start + audio.shape[-1] / 2) / rate)
        hr = pad(audio, (0, self.num_samples - audio.shape[-1]))
        edge_hz = torch.tensor(item["edge_hz"], dtype=torch.float32)
        return {"hr": hr, "edge_hz": edge_hz, "index": index, "caption": caption, "name": item["name"]}


class LatentData(AudioData):
    """What `saga-sr prepare` has made, from a folder or from object storage.

    Training reads latents; validation listens, so it has audio, of other files.

    Args:
        path: the folder, or its address, like `s3://bucket/folder`.
        mix: several of them instead, with their weights in training, see `corpora`.
        shuffle_shards: how many shards are mixed at a time.
        groups: how many stretches the shards are divided into, see `ShardOrder`.
        cache: folder for shards from object storage; null is litdata's.
        **settings: see `AudioData`.

    Raises:
        ConfigError: neither a path nor a mix, both, or counts below 1.
    """

    def __init__(
        self,
        path: str | None,
        shuffle_shards: int,
        groups: int,
        mix: Mapping[str, Any] | None = None,
        cache: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        for name, value in (("shuffle_shards", shuffle_shards), ("groups", groups)):
            if value < 1:
                raise ConfigError(f"data.{name}={value} must be at least 1.")
        if bool(path) == bool(mix):
            raise ConfigError("data=latents reads what is prepared; give either data.path=FOLDER or data.mix={...}.")
        weights = corpora(mix) if mix else {str(path): 1.0}
        self.weights = list(weights.values())
        self.prepared = [Prepared(place, self.sample_rate, cache) for place in weights]
        self.shuffle_shards = shuffle_shards
        self.groups = groups

    def train_dataset(self) -> Dataset[dict[str, Any]]:
        hop_length = self.prepared[0].setting("hop_length")
        for prepared in self.prepared:
            prepared.check(self.num_samples, hop_length)
        _, world_size = self._place()
        if world_size > 1 and (self.groups % world_size or self.epoch_size % self.groups):
            logger.warning(
                "Each process reads more than its share of the shards unless data.groups=%d is a multiple of their "
                "number, %d, and data.epoch_size=%d one of data.groups.",
                *(self.groups, world_size, self.epoch_size),
            )
        shards = [prepared.shards(TRAIN) for prepared in self.prepared]
        orders = [ShardOrder(each.lengths.tolist(), self.seed, self.groups, self.shuffle_shards) for each in shards]
        mixture = Mixture(self.weights, self.seed, self.groups)
        frames = self.num_samples // hop_length
        return LatentCrops(shards, orders, mixture, frames, hop_length, self.sample_rate, self.seed)

    def held_out_dataset(self, size: int, num_samples: int, seed: int) -> Dataset[dict[str, Any]]:
        # All of them alike: weights are of training.
        return HeldOutClips([prepared.shards(VALIDATION) for prepared in self.prepared], size, num_samples, seed)

    def fit_statistics(self, model: Measured, clips: int, normalise: bool) -> None:
        found = [prepared.statistics() for prepared in self.prepared]
        statistics = LatentStatistics.mixed(found, self.weights)
        model.recall_statistics(statistics, ", ".join(prepared.path for prepared in self.prepared), normalise)

    def teardown(self, stage: str) -> None:
        """Say how much of the data could not be used."""
        for prepared in self.prepared:
            prepared.tell_lost()

    def describe(self) -> str:
        hours, files = (
            {side: sum(each.summary[what][side] for each in self.prepared) for side in (TRAIN, VALIDATION)}
            for what in ("hours", "files")
        )
        return (
            f"Latents prepared from {files[TRAIN]} recordings ({hours[TRAIN]:.3g} h) for training, and "
            f"{files[VALIDATION]} ({hours[VALIDATION]:.3g} h) held out."
        )
