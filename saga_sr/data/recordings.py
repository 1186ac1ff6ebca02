"""What a user names as recordings: a folder, a manifest, or several of them, with weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from saga_sr.core.errors import ConfigError, DataError
from saga_sr.core.storage import below, to_path
from saga_sr.data.captions import Captions, Entry, read_captions, read_table
from saga_sr.files.finding import SUFFIXES, find_audio
from saga_sr.files.reading import AudioInfo


@dataclass(frozen=True)
class Source:
    """A folder, a manifest, or a single file.

    Attributes:
        path: as the user named it.
        files: its recordings, in order, each once.
        rows: of a manifest that is a table.
        weight: how likely a crop is drawn from here, against other sources; None where lengths alone decide.
    """

    path: Path
    files: tuple[Path, ...]
    rows: tuple[Entry, ...] = ()
    weight: float | None = None

    @cached_property
    def folder(self) -> Path:
        """What relative paths count from."""
        return self.path.parent if self.path.is_file() else self.path

    def of_files(self, column: Literal["weight", "edge_hz"]) -> dict[Path, float]:
        """What a column of the table says of single files, by resolved path.

        Raises:
            DataError: it says two things of one file.
        """
        told: dict[Path, float] = {}
        for row in self.rows:
            place, value = below(self.folder, row.path).resolve(), getattr(row, column)
            if told.setdefault(place, value) != value:
                raise DataError(
                    f"{self.path} gives {row.path} {column}={told[place]:g} and {column}={value:g}; give it one."
                )
        return told


@dataclass(frozen=True)
class Recordings:
    """The recordings of all sources."""

    sources: tuple[Source, ...]
    files: tuple[Path, ...] = field(init=False)

    def __post_init__(self) -> None:
        # The same file may be named by way of a link, or lie in two sources.
        once: dict[Path, Path] = {}
        for source in self.sources:
            for file in source.files:
                once.setdefault(file.resolve(), file)
        object.__setattr__(self, "files", tuple(once.values()))

    def __str__(self) -> str:
        return ", ".join(str(source.path) for source in self.sources)

    @property
    def weighted(self) -> bool:
        """Whether anything but lengths decides how often a recording is drawn."""
        return any(s.weight is not None or any(row.weight != 1 for row in s.rows) for s in self.sources)

    def weights(self, infos: Sequence[AudioInfo]) -> np.ndarray | None:
        """How likely a crop is drawn from each of `infos`, up to a factor; None where that is their lengths alone.

        Within a source, a file is drawn in proportion to its length times its weight in the table.

        Raises:
            DataError: none of a source's files is among `infos`.
        """
        if not self.weighted:
            return None
        number = {info.path.resolve(): i for i, info in enumerate(infos)}
        lengths = np.array([info.duration_s for info in infos])
        total = np.zeros(len(infos))
        for source in self.sources:
            of_file, own = source.of_files("weight"), np.zeros(len(infos))
            for place in {file.resolve() for file in source.files} & number.keys():
                own[number[place]] = lengths[number[place]] * of_file.get(place, 1.0)
            if source.weight is None:
                # Without weights of sources all files are one heap, and each lies in it once.
                total = np.maximum(total, own)
            elif own.any():
                total += source.weight * own / own.sum()
            else:
                raise DataError(
                    f"Nothing of {source.path} is left to train on; add recordings, or hold others out by "
                    "data.validation_path."
                )
        return total

    def edges_hz(self, infos: Sequence[AudioInfo]) -> np.ndarray | None:
        """Where the tables say that the content of each of `infos` ends; None where they say it of no file."""
        told: dict[Path, float] = {}
        for source in self.sources:
            for place, edge_hz in source.of_files("edge_hz").items():
                told[place] = min(edge_hz, told.get(place, math.inf))
        edges = np.array([told.get(info.path.resolve(), math.inf) for info in infos])
        return edges if np.isfinite(edges).any() else None

    def licences(self, infos: Sequence[AudioInfo]) -> list[str]:
        """What the tables say that each of `infos` may be used for; "" where they say nothing."""
        told = {
            below(source.folder, row.path).resolve(): row.licence
            for source in self.sources
            for row in source.rows
            if row.licence
        }
        return [told.get(info.path.resolve(), "") for info in infos]

    def captions(self, files: Iterable[Path], named: str | Path | None = None) -> Captions:
        """What is known to be said in `files`, see `read_captions`."""
        manifests = {source.path: source.rows for source in self.sources if source.rows}
        return read_captions([source.folder for source in self.sources], files, named, manifests)


def find_recordings(named: Any) -> Recordings:
    """The recordings that `named` leads to.

    Args:
        named: the path of a folder (searched recursively), of a manifest (a .txt with a path on each line, or a CSV,
            TSV or JSONL table with a column path, and possibly caption, weight, edge_hz, licence), or of an audio file;
            several in a list; or several in a mapping, each with the weight of its source. All of these, and the paths
            in manifests, may be addresses of object storage.

    Raises:
        AudioError: a folder is missing or holds no audio.
        ConfigError: no path, or a weight that is none.
        DataError: a manifest that cannot be read or names nothing.
    """
    if isinstance(named, Mapping):
        weights = {str(path): _weight(str(path), weight) for path, weight in named.items()}
    elif isinstance(named, str | Path):
        weights = {str(named): None}
    else:
        weights = dict.fromkeys(map(str, named), None) if isinstance(named, Sequence) else {}
    if not weights:
        raise ConfigError(
            f"data.path={named} names no recordings; give a folder, a manifest, a list of them, or a mapping of each "
            "to its weight."
        )
    return Recordings(tuple(_source(to_path(path), weight) for path, weight in weights.items()))


def _weight(path: str, weight: Any) -> float | None:
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < math.inf:
        raise ConfigError(f"data.path gives {path} the weight {weight}; give a number above 0.")
    return float(weight)


def _source(path: Path, weight: float | None) -> Source:
    rows: tuple[Entry, ...] = ()
    if not path.is_file():
        return Source(path, tuple(find_audio(path)), rows, weight)
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return Source(path, (path,), rows, weight)
    if suffix == ".txt":
        named = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    else:
        rows = tuple(read_table(path, captioned=False))
        named = [row.path for row in rows]
    if not named:
        raise DataError(f"The manifest {path} names no files; write a path on each line.")
    return Source(path, tuple(below(path.parent, name) for name in dict.fromkeys(named)), rows, weight)
