"""Recordings with their real degraded versions as the data of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import Dataset

from saga_sr.core.errors import AudioError, DataError
from saga_sr.data.audio_data import ENDLESS, AudioData
from saga_sr.data.captions import Captions
from saga_sr.data.folder import SILENCE_RMS, TRIES, AudioFolder
from saga_sr.data.pairs import HIGH, LOW, Pair, find_pairs, side_folder
from saga_sr.data.recordings import find_recordings
from saga_sr.data.split import inspect_files
from saga_sr.files.finding import find_audio
from saga_sr.files.reading import AudioInfo
from saga_sr.files.stretch import read_stretch

TRAIN, VALID = ("train",), ("valid", "validation")


class PairCrops(Dataset[dict[str, Any]]):
    """Random crops of both versions of recordings, of the same moment; item `i` depends on (seed, i) alone.

    Every second is equally likely. Crops whose `high` is below -80 dBFS are drawn again, a few times. Recordings
    shorter than a crop are padded with silence.

    Args:
        pairs: of recordings.
        size: number of items, see `AudioFolder`.
        num_samples: length of a crop at `sample_rate`.
        channels: 1 folds to mono, 2 repeats mono.
        captions: of the recordings, by the path of `high`.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        size: int,
        num_samples: int,
        sample_rate: int,
        seed: int,
        channels: int,
        captions: Captions,
    ) -> None:
        self.pairs = tuple(pairs)
        self.size = size
        self.num_samples = num_samples
        self.sample_rate = sample_rate
        self.seed = seed
        self.channels = channels
        self.captions = captions
        self.ends = np.cumsum([pair.end - pair.first for pair in self.pairs])

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`{"hr", "lr": [channels, num_samples], "index", "caption": that at the crop's middle, "name"}`.

        Raises:
            DataError: none of several random crops could be read or had sound.
        """
        rng = np.random.default_rng([self.seed, index])
        reason = "they are silent"
        for _ in range(TRIES):
            pair = self.pairs[int(np.searchsorted(self.ends, rng.random() * self.ends[-1], side="right"))]
            start = pair.first + int(rng.random() * max(pair.end - pair.first - self.num_samples, 0))
            count = min(self.num_samples, pair.end - start)
            try:
                hr = self._crop(pair.high, start, count)
                lr = self._crop(pair.low, start + pair.delay, count)
            except AudioError as error:
                reason = str(error)
                continue
            if hr.square().mean().sqrt() > SILENCE_RMS:
                caption = self.captions.at(pair.high.path, (start + count / 2) / self.sample_rate)
                name = f"{pair.high.path.stem}@{start / self.sample_rate:.2f}s"
                return {"hr": hr, "lr": lr, "index": index, "caption": caption, "name": name}
        raise DataError(f"{TRIES} random crops in a row cannot be used ({reason}); remove silent or broken recordings.")

    def _crop(self, info: AudioInfo, start: int, count: int) -> Tensor:
        audio = pad(read_stretch(info, start, count, self.sample_rate), (0, self.num_samples - count))
        if self.channels != audio.shape[0]:
            audio = audio.mean(dim=0, keepdim=True).expand(self.channels, -1)
        return audio


class PairData(AudioData):
    """Recordings in `train/high` and `valid/high` (or `validation/high`), degraded ones in `low` beside `high`.

    A side without a folder `low` gives `hr` alone, for the configuration's degradation to make `lr` of.

    Captions of `high` are found as those of any folder.

    Args:
        path: the folder with both sides.
        **settings: see `AudioData`.
    """

    def __init__(self, path: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.path = Path(path).expanduser()
        self._pairs: dict[Path, list[Pair]] = {}

    def train_dataset(self) -> Dataset[dict[str, Any]]:
        return self._crops(TRAIN, ENDLESS, self.num_samples, self.seed)

    def held_out_dataset(self, size: int, num_samples: int, seed: int) -> Dataset[dict[str, Any]]:
        return self._crops(VALID, size, num_samples, seed)

    def _crops(self, side: Sequence[str], size: int, num_samples: int, seed: int) -> Dataset[dict[str, Any]]:
        settings = (size, num_samples, self.sample_rate, seed, self.channels)
        folder = side_folder(self.path, side)
        high = find_recordings(folder / HIGH)
        captions = high.captions(high.files)
        if (folder / LOW).is_dir():
            return PairCrops(self._aligned(folder), *settings, captions)
        infos, _ = inspect_files(high.files)
        if not infos:
            raise DataError(f"{high} holds no readable audio file; add recordings.")
        return AudioFolder(infos, *settings, captions)

    def _aligned(self, folder: Path) -> list[Pair]:
        """The pairs of a side, which are measured once."""
        if folder not in self._pairs:
            self._pairs[folder] = find_pairs(folder, self.sample_rate)
        return self._pairs[folder]

    def describe(self) -> str:
        train, validation = (side_folder(self.path, side) for side in (TRAIN, VALID))
        counts = [f"{len(find_audio(folder / HIGH))} recordings" for folder in (train, validation)]
        degraded = "with their degraded versions" if (train / LOW).is_dir() else "degraded in training"
        return f"{counts[0]} for training, {degraded}, and {counts[1]} held out."
