"""A look at recordings before they are trained on, in bounded time: how much there is, and how far up it goes."""

from __future__ import annotations

import csv
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from saga_sr.audio.edges import content_edge_hz
from saga_sr.core.errors import AudioError, DataError
from saga_sr.data.recordings import find_recordings
from saga_sr.files.reading import AudioInfo, AudioReader, inspect_audio

# At most so many files are opened, and so many of them measured, for so long in all.
OPENED, MEASURED, WITHIN_S = 400, 60, 90.0
# Seconds of a file, from its middle, that are measured.
MEASURED_S = 8.0
# Bars of the histogram, Hz.
BAR_HZ = 2000.0
# Less of the files than this may reach higher than what is called the end of the data.
BEYOND = 0.1
# Content to this share of what the model restores up to is whole.
WHOLE = 0.93
LICENCES = ("license", "licence")


@dataclass
class FolderReport:
    """What was found.

    Attributes:
        files: recordings there are.
        opened: of how many of them the rest was looked at.
        seconds: of those that were opened.
        rates, channels: how many of the opened ones have which.
        edges_hz: where the content of each measured one ends, at most half its rate.
        bad: those that cannot be read, and why.
        licences: how many files a list gives which licence; empty without a list.
        unlicensed: recordings that the list does not name.
    """

    files: int
    opened: int = 0
    seconds: float = 0.0
    rates: Counter[int] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    edges_hz: list[float] = field(default_factory=list)
    bad: list[tuple[Path, str]] = field(default_factory=list)
    licences: Counter[str] = field(default_factory=Counter)
    unlicensed: list[Path] = field(default_factory=list)

    @property
    def hours(self) -> float:
        """Of all recordings, as long as those that were opened on average."""
        good = self.opened - len(self.bad)
        share = good / self.opened if self.opened else 0.0
        return self.seconds / good * self.files * share / 3600 if good else 0.0

    def histogram(self) -> list[tuple[float, int]]:
        """The upper end of each bar in Hz, and how many measured files' content ends in it."""
        bars = Counter(max(1, math.ceil(hz / BAR_HZ - 0.01)) for hz in self.edges_hz)
        return [(bar * BAR_HZ, bars[bar]) for bar in range(1, max(bars, default=0) + 1)]

    def whole(self, nyquist_hz: float) -> int:
        """How many of the measured files go as far up as a model that restores up to `nyquist_hz`."""
        return sum(edge >= WHOLE * nyquist_hz for edge in self.edges_hz)

    def ends_hz(self, nyquist_hz: float) -> float | None:
        """Where this data ends, to half a kHz: nine in ten files go no higher; None where it goes as far as the model.

        Args:
            nyquist_hz: up to which the model restores.
        """
        edges = sorted(self.edges_hz)
        if not edges:
            return None
        end = edges[min(len(edges) - 1, math.ceil((1 - BEYOND) * len(edges)) - 1)]
        return round(end / 500) * 500.0 if end < WHOLE * nyquist_hz else None


def check_folder(
    path: Path,
    reachable: Callable[[Path], object],
    licences: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    within_s: float = WITHIN_S,
) -> FolderReport:
    """Look at the recordings that `path` leads to: a folder, a manifest or a file.

    Args:
        reachable: raises a `SagaError` unless a file may be read.
        licences: a CSV or TSV table with the columns path and license.
        progress: called with files done and files in all.
        within_s: after so many seconds no further file is looked at.

    Raises:
        SagaError: there is nothing, or the list cannot be read.
    """
    begin = time.monotonic()
    files = find_recordings(path).files
    report = FolderReport(len(files))
    if licences is not None:
        report.licences, report.unlicensed = licences_of(files, licences)
    chosen = spread(files, OPENED)
    to_measure = {*spread(range(len(chosen)), MEASURED)}
    for number, file in enumerate(chosen):
        if time.monotonic() - begin > within_s:
            break
        report.opened += 1
        try:
            reachable(file)
            info = inspect_audio(file)
            edge_hz = _edge_hz(info) if number in to_measure else None
        except AudioError as error:
            report.bad.append((file, str(error)))
            continue
        report.edges_hz += [] if edge_hz is None else [edge_hz]
        report.seconds += info.duration_s
        report.rates[info.sample_rate] += 1
        report.channels[info.channels] += 1
        if progress is not None:
            progress(number + 1, len(chosen))
    return report


def spread(items: Sequence, most: int) -> list:
    """At most `most` of `items`, spread evenly over them and always the same."""
    if len(items) <= most:
        return [*items]
    return [items[i * len(items) // most] for i in range(most)]


def licences_of(files: Sequence[Path], table: Path) -> tuple[Counter[str], list[Path]]:
    """How many of `files` have which licence by `table`, and those that it does not name.

    Raises:
        DataError: it is no such table.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = [*csv.DictReader(file, delimiter="\t" if table.suffix.lower() == ".tsv" else ",")]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{table} cannot be read ({error}); give a CSV or TSV table.") from error
    column = next((name for name in LICENCES if rows and name in rows[0]), None)
    if column is None or "path" not in rows[0]:
        raise DataError(f"{table} lists no licences; give a CSV or TSV table with the columns path and license.")
    told = {(table.parent / str(row["path"])).resolve(): str(row[column] or "").strip() for row in rows}
    found = {file: told.get(file.resolve()) for file in files}
    return Counter(name for name in found.values() if name), [file for file, name in found.items() if not name]


def _edge_hz(info: AudioInfo) -> float | None:
    """Where the content of the middle of a file ends, in all channels; None for silence."""
    length = min(info.frames, round(MEASURED_S * info.sample_rate))
    with AudioReader(info.path) as reader:
        audio = reader.read((info.frames - length) // 2, length)
    audio = audio.where(audio.isfinite(), 0.0)
    return content_edge_hz(audio, info.sample_rate) if audio.any() else None
