"""Which recordings are trained on, and which are held out for validation."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from saga_sr.core.errors import AudioError, ConfigError, DataError
from saga_sr.data.recordings import Recordings
from saga_sr.files.reading import AudioInfo, inspect_audio

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Split:
    """The readable files, divided so that no file is on both sides."""

    train: tuple[AudioInfo, ...]
    validation: tuple[AudioInfo, ...]
    unreadable: Mapping[Path, str]

    @property
    def readable(self) -> list[Path]:
        """All files that can be read."""
        return [info.path for info in (*self.train, *self.validation)]


def split_recordings(recordings: Recordings, held_out: Recordings | None, validation_fraction: float) -> Split:
    """Divide `recordings` at random, always alike; or hold out those of `held_out`, and train on all others.

    Unreadable files are named and left out. The seed is not the run's: what one run holds out, no other run may have
    trained on.

    Raises:
        ConfigError: a fraction that is none.
        DataError: there is nothing to train on, or nothing to validate on.
    """
    if not 0 < validation_fraction < 1:
        raise ConfigError(f"validation_fraction={validation_fraction} must lie between 0 and 1.")
    if held_out is not None:
        validation, bad = inspect_files(held_out.files)
        train, also_bad = inspect_files(_without(recordings, held_out))
        for infos, where in ((train, recordings), (validation, held_out)):
            if not infos:
                raise DataError(f"{where} holds no readable audio file of its own; add recordings.")
        return Split(train=tuple(train), validation=tuple(validation), unreadable=bad | also_bad)
    readable, bad = inspect_files(recordings.files)
    if len(readable) < 2:
        raise DataError(
            f"{recordings} holds {len(readable)} readable audio file(s), but training and validation need one each; "
            "add recordings or choose another folder."
        )
    order = np.random.default_rng(0).permutation(len(readable))
    count = min(max(round(validation_fraction * len(readable)), 1), len(readable) - 1)
    chosen = [readable[i] for i in order]
    return Split(train=tuple(chosen[count:]), validation=tuple(chosen[:count]), unreadable=bad)


def _without(recordings: Recordings, held_out: Recordings) -> list[Path]:
    """The files of `recordings` that are not held out."""
    kept_apart = {file.resolve() for file in held_out.files}
    files = [file for file in recordings.files if file.resolve() not in kept_apart]
    both = [file for file in recordings.files if file.resolve() in kept_apart]
    if both:
        logger.warning(
            "%d of %d recordings in data.path are in data.validation_path too (such as %s) and are not trained on.",
            *(len(both), len(recordings.files), both[0]),
        )
    return files


def inspect_files(files: Iterable[Path]) -> tuple[list[AudioInfo], dict[Path, str]]:
    """What the headers of `files` say, and the reasons of those that cannot be read, which are named."""
    readable: list[AudioInfo] = []
    unreadable: dict[Path, str] = {}
    paths = list(files)
    # Most of the time goes by until disks, or object storage, answer.
    with ThreadPoolExecutor() as threads:
        for path, found in zip(paths, threads.map(_inspected, paths), strict=True):
            if isinstance(found, AudioInfo):
                readable.append(found)
            else:
                unreadable[path] = found
    if unreadable:
        total = len(unreadable) + len(readable)
        logger.warning("%d of %d files are left out: %s", len(unreadable), total, " ".join(unreadable.values()))
    return readable, unreadable


def _inspected(path: Path) -> AudioInfo | str:
    """What the header says, or why it cannot be read."""
    try:
        return inspect_audio(path)
    except AudioError as error:
        return str(error)
