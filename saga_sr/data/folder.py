"""Recordings as an endless stream of random crops."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import Dataset

from saga_sr.audio.resample import resample
from saga_sr.core.errors import AudioError, DataError
from saga_sr.data.augmentation import Augmentation
from saga_sr.data.captions import Captions
from saga_sr.files.reading import AudioInfo, AudioReader

SILENCE_RMS = 1e-4  # -80 dBFS
TRIES = 64


class AudioFolder(Dataset[dict[str, Any]]):
    """Random crops of recordings; item `i` depends on (seed, i) alone, whatever worker makes it.

    Every second of audio is equally likely, unless files have weights. Crops below -80 dBFS are drawn again, a few
    times. Other rates are resampled; files shorter than a crop are padded with silence.

    Args:
        files: the recordings.
        size: number of items; indices beyond it go on to new crops (an epoch's items are `epoch * size + i`).
        num_samples: length of a crop at `sample_rate`.
        channels: 1 folds to mono, 2 repeats mono.
        captions: of the recordings.
        weights: how likely each file is drawn, up to a factor; their lengths where left out.
        edges_hz: where the content of each file ends, if that is to be told.
        augmentation: how crops are changed.
    """

    def __init__(
        self,
        files: Sequence[AudioInfo],
        size: int,
        num_samples: int,
        sample_rate: int,
        seed: int,
        channels: int = 1,
        captions: Captions | None = None,
        weights: np.ndarray | None = None,
        edges_hz: np.ndarray | None = None,
        augmentation: Augmentation | None = None,
    ) -> None:
        self.files = tuple(files)
        self.size = size
        self.num_samples = num_samples
        self.sample_rate = sample_rate
        self.seed = seed
        self.channels = channels
        self.captions = captions or Captions()
        self.edges_hz = edges_hz
        self.augmentation = augmentation
        self.ends = np.cumsum([info.duration_s for info in self.files] if weights is None else weights)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`{"hr": [channels, num_samples], "index": index, "caption": that at the crop's middle, "name": ...}`.

        With `edges_hz`, also `"edge_hz"`, at most Nyquist.

        Raises:
            DataError: none of several random crops could be read or had sound.
        """
        rng = np.random.default_rng([self.seed, index])
        item = self._drawn(rng)
        if self.augmentation is not None and self.augmentation.is_mixed(rng):
            other = self._drawn(rng)
            item["hr"] = self.augmentation.mixture(item["hr"], other["hr"], rng)
            if "edge_hz" in item:
                item["edge_hz"] = torch.minimum(item["edge_hz"], other["edge_hz"])
        return item | {"index": index}

    def _drawn(self, rng: np.random.Generator) -> dict[str, Any]:
        reason = "they are silent"
        for _ in range(TRIES):
            drawn = int(np.searchsorted(self.ends, rng.random() * self.ends[-1], side="right"))
            info, position = self.files[drawn], rng.random()
            speed = Fraction(1) if self.augmentation is None else self.augmentation.speed(rng)
            try:
                crop, start_s = self._crop(info, position, speed)
            except AudioError as error:
                reason = str(error)
                continue
            if crop.square().mean().sqrt() > SILENCE_RMS:
                # The middle of what is heard: a short file is padded.
                middle_s = start_s + min(self.num_samples / self.sample_rate * float(speed), info.duration_s) / 2
                caption = self.captions.at(info.path, middle_s)
                item = {"hr": crop, "caption": caption, "name": f"{info.path.stem}@{start_s:.2f}s"}
                return item | self._edge(drawn, speed)
        raise DataError(f"{TRIES} random crops in a row cannot be used ({reason}); remove silent or broken recordings.")

    def _edge(self, file: int, speed: Fraction) -> dict[str, Tensor]:
        if self.edges_hz is None and self.augmentation is None:
            return {}
        nyquist = self.files[file].sample_rate / 2
        own = nyquist if self.edges_hz is None else min(self.edges_hz[file], nyquist)
        return {"edge_hz": torch.tensor(min(own * float(speed), self.sample_rate / 2), dtype=torch.float32)}

    def _crop(self, info: AudioInfo, position: float, speed: Fraction) -> tuple[Tensor, float]:
        from_hz, to_hz = info.sample_rate * speed.numerator, self.sample_rate * speed.denominator
        needed = -(-self.num_samples * from_hz // to_hz)
        start = int(position * max(info.frames - needed, 0))
        with AudioReader(info.path) as reader:
            audio = reader.read(start, min(needed, info.frames))
        audio = resample(audio, from_hz, to_hz)[:, : self.num_samples]
        audio = pad(audio, (0, self.num_samples - audio.shape[-1]))
        if self.channels != audio.shape[0]:
            audio = audio.mean(dim=0, keepdim=True).expand(self.channels, -1)
        return audio, start / info.sample_rate
