"""Figures of what codecs keep, as tables: means over recordings, a line a method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from saga_sr.evaluation.comparison import aligned
from saga_sr.evaluation.reconstruction import Reconstructed


@dataclass(frozen=True)
class Column:
    """A figure in tables: its title, whether less is better (None where that is no question), and its decimals."""

    title: str
    less_is_better: bool | None
    decimals: int = 2

    def text(self, value: float | None) -> str:
        """`value` as it is shown."""
        return "–" if value is None else f"{round(value, self.decimals) + 0.0:.{self.decimals}f}"


QUALITY: Mapping[str, Column] = {
    "snr": Column("SNR (dB)", False),
    "correlation": Column("correlation", False, 3),
    "rmse": Column("RMSE", True, 4),
    "si_sdr": Column("SI-SDR (dB)", False),
    "lsd": Column("LSD", True),
    "mel_l1": Column("mel L1 (dB)", True),
    "pesq": Column("PESQ", False),
    "stoi": Column("STOI", False, 3),
    "visqol": Column("ViSQOL", False),
}
COST: Mapping[str, Column] = {
    "seconds": Column("time (s)", None),
    "times_real_time": Column("× real time", None, 1),
    "numbers_per_second": Column("numbers/s", None, 0),
    "kbit_per_second": Column("kbit/s", None, 0),
    "compression_ratio": Column("compression", None),
}
COLUMNS: Mapping[str, Column] = {**QUALITY, **COST}


def methods_of(recordings: Iterable[Reconstructed]) -> list[str]:
    """The methods that did something, in order."""
    return list(dict.fromkeys(method for recording in recordings for method in recording.results))


def mean_of(values: Iterable[float | None]) -> float | None:
    """The mean of what is defined; None if nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def mean_figures(recordings: Sequence[Reconstructed], method: str) -> dict[str, float | None]:
    """The mean over recordings of each of `COLUMNS`."""
    results = [recording.results[method].figures for recording in recordings if method in recording.results]
    return {name: mean_of(figures[name] for figures in results) for name in COLUMNS}


def mean_octaves(recordings: Sequence[Reconstructed], method: str) -> dict[float, float | None]:
    """The mean over recordings of the LSD of each octave."""
    results = [recording.results[method].octaves for recording in recordings if method in recording.results]
    centres = sorted({hz for octaves in results for hz in octaves})
    return {hz: mean_of(octaves.get(hz) for octaves in results) for hz in centres}


def summary_table(recordings: Sequence[Reconstructed]) -> str:
    """The means as a plain-text table, a line a method; it is Markdown too."""
    rows = []
    for method in methods_of(recordings):
        means = mean_figures(recordings, method)
        rows.append([method, *(column.text(means[name]) for name, column in COLUMNS.items())])
    return aligned(["method", *(column.title for column in COLUMNS.values())], rows)
