"""Methods compared on the same low-passed clips."""

from __future__ import annotations

import csv
import io
import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.core.atomic_file import write_atomically
from saga_sr.core.errors import AudioError, SagaError
from saga_sr.evaluation.metrics import measure
from saga_sr.files.writing import write_audio

logger = logging.getLogger(__name__)

Method = Callable[[Tensor, Tensor, list[str]], Tensor]
Ceiling = Callable[[Tensor, Tensor, Tensor], Tensor]
# The row of a comparison that no method's outputs can be better than.
CEILING = "ceiling"
# Cut by this, as SAGA-SR's evaluation is.
LOW_PASS = ("chebyshev1", 8)
# Titles of the metrics that tables have.
SHOWN = {
    "lsd_hf": "LSD-HF",
    "lsd_hf_audible": "audible LSD-HF",
    "lsd_lf": "LSD-LF",
    "lsd": "LSD",
    "level_hf_db": "HF level (dB)",
    "energy_hf_db": "HF energy (dB)",
    "onset_hf_db": "HF onset (dB)",
    "si_sdr": "SI-SDR (dB)",
    "mel_l1": "mel L1 (dB)",
}


@dataclass(frozen=True)
class Clip:
    """A reference recording: `audio` [c, time], whose content ends at `edge_hz`."""

    name: str
    audio: Tensor
    caption: str = ""
    edge_hz: float = math.inf


@dataclass(frozen=True)
class Row:
    """The metrics of one method on one clip at one cutoff."""

    clip: str
    cutoff_hz: int
    method: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class Example:
    """What a report shows of a clip: each signal [c, time] by name, the methods' outputs and `reference`."""

    clip: Clip
    cutoff_hz: int
    audios: dict[str, Tensor]


@dataclass
class Comparison:
    """What came of a comparison: every row, the examples kept, and what failed (clip, cutoff and reason).

    Attributes:
        shown: titles of the metrics that tables have.
        clips: what was compared, in a word or two, and `origin` what the input was, in a sentence.
        undefined: why a metric is NaN in some rows, by its name.
    """

    sample_rate: int
    rows: list[Row] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    shown: Mapping[str, str] = field(default_factory=lambda: SHOWN)
    clips: str = "held-out clips"
    origin: str = "Input: Chebyshev I low-pass of order 8 at the cutoff."
    undefined: dict[str, str] = field(default_factory=dict)

    @property
    def methods(self) -> list[str]:
        """Names of the methods, in order."""
        return list(dict.fromkeys(row.method for row in self.rows))

    @property
    def cutoffs_hz(self) -> list[int]:
        """The cutoffs, in order."""
        return list(dict.fromkeys(row.cutoff_hz for row in self.rows))

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics, in order."""
        return list(self.rows[0].metrics) if self.rows else []

    def mean(self, cutoff_hz: int, method: str, metric: str) -> float:
        """Mean of a metric over the clips of which it is defined; NaN if it is of none."""
        rows = [row for row in self.rows if (row.cutoff_hz, row.method) == (cutoff_hz, method)]
        chosen = [row.metrics[metric] for row in rows if not math.isnan(row.metrics[metric])]
        return sum(chosen) / len(chosen) if chosen else math.nan

    def summary(self, seconds: Mapping[str, float | None]) -> dict:
        """The means: `{"clips": n, "cutoffs": {"4000": {metric: {method: x}}}, "seconds": seconds}`."""
        return {
            "clips": len({row.clip for row in self.rows}),
            "cutoffs": {
                str(cutoff): {
                    metric: {method: number_or_null(self.mean(cutoff, method, metric)) for method in self.methods}
                    for metric in self.metrics
                }
                for cutoff in self.cutoffs_hz
            },
            "seconds": dict(seconds),
        }


def compare_methods(
    clips: Sequence[Clip],
    methods: Mapping[str, Method],
    cutoffs_hz: Sequence[int],
    sample_rate: int,
    batch_size: int = 8,
    examples: int = 0,
    ceiling: Ceiling | None = None,
) -> Comparison:
    """Low-pass each clip (Chebyshev I, order 8), let each method restore it, and measure against the clip.

    Args:
        clips: references; those of equal length and channels go in batches of `batch_size`.
        methods: `(lr [b, c, time], cutoff_hz [b], captions) -> [b, c, time]` by name.
        cutoffs_hz: in Hz.
        sample_rate: of everything, in Hz.
        examples: how many clips' audio to keep for a report.
        ceiling: `(reference [b, c, time], lr, cutoff_hz) -> [b, c, time]`, the best that can come of a method, as one
            more row, `CEILING`.

    Raises:
        AudioError: not one clip could be compared. One that fails with a `SagaError` among others that do not is
            left out, named in a warning and in `failures`.
    """
    result = Comparison(sample_rate)
    batches = list(_batched(clips, batch_size))
    kept = {clip.name for clip in clips[:examples]}
    work = [(cutoff, batch) for cutoff in cutoffs_hz for batch in batches]
    for cutoff, batch in tqdm(work, desc="Evaluating", unit="batch", delay=2, leave=False):
        try:
            _compare_batch(result, batch, methods, cutoff, kept, ceiling)
        except SagaError:
            _compare_singly(result, batch, methods, cutoff, kept, ceiling)
    if result.failures:
        logger.warning(
            "%d of %d comparisons failed and are left out:\n%s",
            len(result.failures),
            len(clips) * len(cutoffs_hz),
            "\n".join(result.failures),
        )
    if not result.rows:
        reason = f"the first reason was: {result.failures[0]}" if result.failures else "there were none."
        raise AudioError(f"No clip could be compared; {reason}")
    return result


def _batched(clips: Sequence[Clip], size: int) -> Iterator[list[Clip]]:
    by_shape: dict[torch.Size, list[Clip]] = {}
    for clip in clips:
        by_shape.setdefault(clip.audio.shape, []).append(clip)
    for alike in by_shape.values():
        for i in range(0, len(alike), size):
            yield alike[i : i + size]


def _compare_batch(
    result: Comparison, batch: list[Clip], methods: Mapping[str, Method], cutoff_hz: int, kept: set[str],
    ceiling: Ceiling | None,
) -> None:  # fmt: skip
    rate = result.sample_rate
    reference = torch.stack([clip.audio for clip in batch])
    cutoffs = torch.full((len(batch),), float(cutoff_hz))
    edges = torch.tensor([clip.edge_hz for clip in batch])
    lr = degrade(reference, [LowPassFilter(*LOW_PASS, cutoff_hz)] * len(batch), rate)
    captions = [clip.caption for clip in batch]
    outputs = {name: checked(name, method(lr, cutoffs, captions).cpu(), lr) for name, method in methods.items()}
    if ceiling is not None:
        outputs[CEILING] = checked(CEILING, ceiling(reference, lr, cutoffs), lr)
    for method, output in outputs.items():
        measured = measure(output, reference, cutoffs, rate, edges)
        for i, clip in enumerate(batch):
            values = {name: float(value[i]) for name, value in measured.items()}
            result.rows.append(Row(clip.name, cutoff_hz, method, values))
    for i, clip in enumerate(batch):
        if clip.name in kept:
            audios = {name: output[i] for name, output in outputs.items()} | {"reference": clip.audio}
            result.examples.append(Example(clip, cutoff_hz, audios))


def _compare_singly(
    result: Comparison, batch: list[Clip], methods: Mapping[str, Method], cutoff_hz: int, kept: set[str],
    ceiling: Ceiling | None,
) -> None:  # fmt: skip
    """Find the clips that a batch failed by; the others are compared after all."""
    for clip in batch:
        try:
            _compare_batch(result, [clip], methods, cutoff_hz, kept, ceiling)
        except SagaError as error:
            result.failures.append(f"{clip.name} at {cutoff_hz} Hz: {error}")


def checked(name: str, output: Tensor, lr: Tensor) -> Tensor:
    """`output`, if a method called `name` may make it of `lr`.

    Raises:
        AudioError: it is of another shape, or not finite.
    """
    if output.shape != lr.shape:
        raise AudioError(
            f"Method {name} made {list(output.shape)} of {list(lr.shape)}; it must keep the shape of its input."
        )
    if not output.isfinite().all():
        raise AudioError(f"Method {name} made samples that are not finite; check the weights it was given.")
    return output


def number_or_null(value: float) -> float | None:
    """`value` in five decimals; null, as JSON says, for NaN."""
    return None if math.isnan(value) else round(value, 5)


def write_json(path: Path, content: object) -> None:
    """Write `content` as JSON that is whole or absent."""
    write_atomically(path, json.dumps(content, indent=1) + "\n")


def write_examples(folder: Path, result: Comparison) -> None:
    """The examples' audio, as `<clip>_<cutoff>_<method>.flac` in `folder`."""
    for example in result.examples:
        for name, audio in example.audios.items():
            file = f"{example.clip.name.split()[0]}_{example.cutoff_hz}_{name}.flac"
            write_audio(folder / file, audio, result.sample_rate)


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """`rows` as CSV: one line per clip, cutoff and method."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["clip", "cutoff_hz", "method", *(rows[0].metrics if rows else [])])
    for row in rows:
        values = ["" if math.isnan(value) else f"{value:.6g}" for value in row.metrics.values()]
        writer.writerow([row.clip, row.cutoff_hz, row.method, *values])
    write_atomically(path, table.getvalue())


def table(result: Comparison) -> str:
    """The means as a plain-text table, a line per cutoff and method; it is Markdown too."""
    rows = []
    for cutoff in result.cutoffs_hz:
        for method in result.methods:
            means = [two_decimals(result.mean(cutoff, method, name)) for name in result.shown]
            rows.append([f"{cutoff / 1000:.3g} kHz", method, *means])
    return aligned(["cutoff", "method", *result.shown.values()], rows)


def two_decimals(value: float) -> str:
    """`value` in a table; a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:.2f}"


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns are as wide as their widest cell; it is Markdown too."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )
