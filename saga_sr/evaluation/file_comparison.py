"""Files of any system held against what they are to be: found by their names, aligned and measured."""

from __future__ import annotations

import logging
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from saga_sr.audio.alignment import measure_delay
from saga_sr.audio.resample import resample
from saga_sr.audio.spectrum import bandwidth_hz
from saga_sr.core.errors import AudioError, ConfigError, DataError, SagaError
from saga_sr.evaluation.baselines import band_replication
from saga_sr.evaluation.comparison import SHOWN, Clip, Comparison, Example, Row
from saga_sr.evaluation.metrics import measure
from saga_sr.evaluation.perceptual import LISTENERS, Heard, listen
from saga_sr.files.finding import by_stem
from saga_sr.files.reading import AudioInfo, inspect_audio, read_audio

logger = logging.getLogger(__name__)

# How far apart files are looked for, on how much of them, and what counts as found.
FARTHEST_S, COMPARED_S, ALIKE = 0.5, 30.0, 0.4
LEAST_S = 0.1
# Files that differ in length by more than this are named.
REMAINDER_S = 0.5
# What reaches further than this share of the band has nothing missing.
FULL_SHARE = 0.95
TITLES = {**SHOWN, "mel_l2": "mel L2 (dB)", **{name: listener.title for name, listener in LISTENERS.items()}}


@dataclass(frozen=True)
class Files:
    """A recording as it is to be (`reference`), as a system made it (`generated`), and what that was made of."""

    name: str
    reference: AudioInfo
    generated: AudioInfo
    lowres: AudioInfo | None = None

    @property
    def all(self) -> list[AudioInfo]:
        """Those that there are, the reference first."""
        return [self.reference, self.generated, *([self.lowres] if self.lowres else [])]


def find_files(generated: Path, reference: Path, lowres: Path | None) -> tuple[list[Files], list[str]]:
    """What belongs together, and a sentence for each file that has no partner.

    Args:
        generated, reference, lowres: folders, whose files belong together by their paths there without the suffix; or
            a file each.

    Raises:
        AudioError: a file or folder is missing, or a file cannot be read.
        DataError: no two belong together, or a folder and a file are given.
    """
    roots = [reference, generated, *([lowres] if lowres else [])]
    if not any(root.is_dir() for root in roots):
        return [Files(reference.name, *map(inspect_audio, roots))], []
    for root in roots:
        if root.is_file():
            folder = next(root for root in roots if root.is_dir())
            raise DataError(f"{root} is a file where {folder} is a folder; give folders, or files, alone.")
    found = [by_stem(root) for root in roots]
    both = [stem for stem in found[0] if all(stem in files for files in found)]
    if not both:
        raise DataError(
            f"No file in {generated} has the name of one in {' and '.join(str(r) for r in roots if r != generated)}; "
            "give a recording the same name, but for the suffix, in each."
        )
    single = [path for files in found for stem, path in files.items() if stem not in both]
    remarks = [f"{path} has no partner of its name and is left out." for path in single]
    return [Files(str(stem), *(inspect_audio(files[stem]) for files in found)) for stem in both], remarks


def compare_files(
    files: Sequence[Files], cutoffs_hz: Sequence[int], longest_s: float = math.inf, examples: int = 0
) -> Comparison:
    """Measure each generated file, and its input where there is one, against its reference.

    Rates, delays and channels are made one; the rate is that of most references.

    Args:
        cutoffs_hz: where the high band begins, where there is no input; else it is the median of where inputs end.
        longest_s: how much of each file is taken, from its beginning.
        examples: of how many recordings to keep the audio.

    Raises:
        AudioError: not one of `files` can be compared. One that cannot among others is named in a warning and in
            `failures`.
        ConfigError: no cutoff below the band's end.
    """
    rate = statistics.mode(one.reference.sample_rate for one in files)
    given = [_edge_of_inputs(files, rate, longest_s)] if files[0].lowres else cutoffs_hz
    cutoffs = [hz for hz in given if hz < rate / 2]
    if not cutoffs:
        raise ConfigError(f"cutoffs_hz={list(given)} has none below {rate / 2:g} Hz, where the files end; give one.")
    origin = f"The high band begins at {' or '.join(f'{hz / 1000:.3g}' for hz in cutoffs)} kHz."
    result = Comparison(rate, shown=TITLES, clips="recordings", origin=origin)
    for number, one in enumerate(tqdm(files, desc="Comparing", unit="file", delay=2, leave=False), 1):
        try:
            signals, remarks = aligned_signals(one, rate, longest_s)
        except SagaError as error:
            result.failures.append(f"{one.name}: {error}")
            continue
        result.failures += remarks
        _measure(result, f"{number:02d} {one.name}", signals, cutoffs, keep=number <= examples)
    for failure in result.failures:
        logger.warning("%s", failure)
    if not result.rows:
        raise AudioError(f"No file could be compared; the first reason was: {result.failures[0]}")
    return result


def _edge_of_inputs(files: Sequence[Files], rate: int, longest_s: float) -> int:
    """Where most inputs end, in Hz."""
    edges = []
    for one in files:
        assert one.lowres is not None
        audio = _read(one.lowres, rate, longest_s)
        edges.append(min(float(bandwidth_hz(audio[None], rate)), one.lowres.sample_rate / 2))
    edge = statistics.median(edges)
    if edge > FULL_SHARE * rate / 2:
        raise AudioError(
            f"The low-resolution files reach up to {edge / 1000:.1f} kHz, so that nothing above is missing; give what "
            "the system was given, or leave lowres= out."
        )
    return round(edge)


def _read(info: AudioInfo, rate: int, longest_s: float) -> Tensor:
    audio, own = read_audio(info.path, 0, round(min(longest_s * info.sample_rate, info.frames)))
    return resample(audio, own, rate)


def aligned_signals(files: Files, rate: int, longest_s: float) -> tuple[list[Tensor], list[str]]:
    """Reference, generated and (where there is one) input as [c, time] of one rate, length and time; and remarks.

    A delay is undone where the signals sound alike at it. Where they differ in channels, all are mixed to one.

    Raises:
        AudioError: a file cannot be read, or they have less than 0.1 s in common.
    """
    signals = [_read(info, rate, longest_s) for info in files.all]
    if len({len(signal) for signal in signals}) > 1:
        signals = [signal.mean(dim=0, keepdim=True) for signal in signals]
    delays, remarks = [0], []
    for info, signal in zip(files.all[1:], signals[1:], strict=True):
        delay = _delay(signal, signals[0], rate)
        if delay is None:
            remarks.append(f"{info.path} sounds like {files.reference.path} at no delay, and is compared as it is.")
        delays.append(delay or 0)
    first = max(0, -min(delays))
    lengths = [signal.shape[-1] - first - delay for signal, delay in zip(signals, delays, strict=True)]
    common = min(lengths)
    if common < LEAST_S * rate:
        raise AudioError(f"The files have {max(common, 0) / rate:.3f} s in common, and {LEAST_S:g} s are needed.")
    if max(lengths) - common > REMAINDER_S * rate:
        remarks.append(
            f"{files.name}: lengths differ by {(max(lengths) - common) / rate:.1f} s; the {common / rate:.1f} s that "
            "all have are compared."
        )
    starts = [first + delay for delay in delays]
    return [signal[:, start : start + common] for signal, start in zip(signals, starts, strict=True)], remarks


def _delay(late: Tensor, reference: Tensor, rate: int) -> int | None:
    """By how many samples `late` comes later than `reference`, both [c, time]; None where they do not sound alike."""
    length = min(late.shape[-1], reference.shape[-1], round(COMPARED_S * rate))
    ours, theirs = (signal[:, :length].mean(dim=0) for signal in (late, reference))
    found = measure_delay(ours, theirs, rate, min(round(FARTHEST_S * rate), length // 2))
    return found.samples if found.correlation >= ALIKE else None


def _measure(result: Comparison, name: str, signals: Sequence[Tensor], cutoffs_hz: Sequence[int], keep: bool) -> None:
    """Add the rows of one recording: of the generated file, and of its input and that restored by replication."""
    reference, generated, *lowres = signals
    heard: dict[str, Heard] = {}
    for cutoff_hz in cutoffs_hz:
        cutoff = torch.tensor([float(cutoff_hz)])
        outputs = {"input": lowres[0]} if lowres else {}
        if lowres:
            outputs["band_replication"] = band_replication(lowres[0][None], cutoff, result.sample_rate)[0]
        outputs["output"] = generated
        for method, output in outputs.items():
            found = measure(output[None], reference[None], cutoff, result.sample_rate)
            if method not in heard:
                heard[method] = listen(output, reference, result.sample_rate)
            values = {metric: float(value) for metric, value in found.items()}
            values |= {metric: math.nan if value is None else value for metric, value in heard[method].values.items()}
            result.undefined |= heard[method].reasons
            result.rows.append(Row(name, cutoff_hz, method, values))
        if keep:
            audios = {**outputs, "reference": reference}
            result.examples.append(Example(Clip(name, reference), cutoff_hz, audios))
