"""A user's own recordings as the data of a run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from saga_sr.core.errors import ConfigError
from saga_sr.data.audio_data import ENDLESS, AudioData
from saga_sr.data.augmentation import Augmentation
from saga_sr.data.captions import Captions
from saga_sr.data.folder import AudioFolder
from saga_sr.data.mixture import corpora
from saga_sr.data.recordings import Recordings, find_recordings
from saga_sr.data.split import Split, split_recordings
from saga_sr.files.reading import AudioInfo

logger = logging.getLogger(__name__)


class FolderData(AudioData):
    """A user's own recordings, split by file.

    Args:
        path: what is trained on, see `find_recordings`. Weights decide how often crops are drawn from a source.
        mix: the same by names, see `corpora`, in the place of `path`.
        validation_fraction: share of the files held out; at least one file.
        validation_path: what is held out instead, in the same forms; none of it is trained on.
        captions: a file with captions of the recordings, which wins over those beside them (see `read_captions`).
        augmentation: of what is trained on.
        **settings: see `AudioData`.
    """

    def __init__(
        self,
        path: Any,
        validation_fraction: float,
        mix: Mapping[str, Any] | None = None,
        validation_path: Any = None,
        captions: str | None = None,
        augmentation: Augmentation | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if not 0 < validation_fraction < 1:
            raise ConfigError(f"data.validation_fraction={validation_fraction} must lie between 0 and 1.")
        if path and mix:
            raise ConfigError("data.path and data.mix both name recordings; give one of them.")
        self.path = corpora(mix) if mix else path
        self.validation_fraction = validation_fraction
        self.validation_path = validation_path
        self.captions_file = captions
        self.augmentation = augmentation if augmentation and augmentation.changes else None
        self._found: tuple[Recordings, Recordings | None] | None = None
        self._split: Split | None = None
        self._captions: Captions | None = None

    @property
    def recordings(self) -> tuple[Recordings, Recordings | None]:
        """What is trained on (before the split) and what is named for validation; folders are scanned once."""
        if self._found is None:
            held_out = None if self.validation_path is None else find_recordings(self.validation_path)
            self._found = find_recordings(self.path), held_out
        return self._found

    @property
    def split(self) -> Split:
        """The files of both sides."""
        if self._split is None:
            self._split = split_recordings(*self.recordings, self.validation_fraction)
        return self._split

    @property
    def captions(self) -> Captions:
        """What is said in the recordings."""
        if self._captions is None:
            files = self.split.readable
            sources = [source for found in self.recordings if found is not None for source in found.sources]
            self._captions = Recordings(tuple(sources)).captions(files, self.captions_file)
            without = sum(path not in self._captions for path in files)
            # Most people train without captions.
            if without < len(files):
                logger.info("%d of %d recordings have no caption.", without, len(files))
        return self._captions

    def train_dataset(self) -> Dataset[dict[str, Any]]:
        recordings, files = self.recordings[0], self.split.train
        edges_hz = recordings.edges_hz(files)
        drawn = (ENDLESS, self.num_samples, self.seed)
        return self._crops(files, recordings.weights(files), edges_hz, *drawn, self.augmentation)

    def held_out_dataset(self, size: int, num_samples: int, seed: int) -> Dataset[dict[str, Any]]:
        held_out = self.recordings[1]
        # Weights of data.path are of training: runs that differ in them are measured on the same clips.
        weights = None if held_out is None else held_out.weights(self.split.validation)
        edges_hz = (held_out or self.recordings[0]).edges_hz(self.split.validation)
        return self._crops(self.split.validation, weights, edges_hz, size, num_samples, seed)

    def _crops(
        self,
        files: Sequence[AudioInfo],
        weights: np.ndarray | None,
        edges_hz: np.ndarray | None,
        size: int,
        num_samples: int,
        seed: int,
        augmentation: Augmentation | None = None,
    ) -> AudioFolder:
        settings = (size, num_samples, self.sample_rate, seed, self.channels, self.captions)
        return AudioFolder(files, *settings, weights, edges_hz, augmentation)

    def describe(self) -> str:
        train, validation = (
            sum(info.duration_s for info in side) / 60 for side in (self.split.train, self.split.validation)
        )
        return (
            f"{len(self.split.train)} recordings ({train:.1f} min) for training and {len(self.split.validation)} "
            f"({validation:.1f} min) held out."
        )
