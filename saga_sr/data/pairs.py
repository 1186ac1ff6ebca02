"""Recordings in two versions, whole (`high`) and degraded (`low`): found, matched and aligned."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from saga_sr.audio.alignment import Delay, measure_delay
from saga_sr.core.errors import AudioError, DataError
from saga_sr.data.folder import SILENCE_RMS
from saga_sr.files.finding import by_stem
from saga_sr.files.reading import AudioInfo, inspect_audio
from saga_sr.files.stretch import length_at, read_stretch

logger = logging.getLogger(__name__)

HIGH, LOW = "high", "low"
# Versions are compared in a few places: how long each is, how far apart they are looked for, and what counts as found.
STRETCHES, STRETCH_S, FARTHEST_S = 4, 5.0, 0.5
ALIKE = 0.4
# Delays in different places that are one delay: what rounding to samples leaves.
STEADY = 2
# Longer remainders are no padding of a codec's.
LONGEST_REMAINDER_S = 2.0


@dataclass(frozen=True)
class Pair:
    """Two versions of a recording; counted in samples at the model's rate.

    Attributes:
        delay: how much later `low` is.
        first, end: the stretch of `high` that both have.
    """

    high: AudioInfo
    low: AudioInfo
    delay: int
    first: int
    end: int


def side_folder(root: Path, names: Sequence[str]) -> Path:
    """The folder of one side of the split, under one of its `names`.

    Raises:
        DataError: there is none with a folder `high`.
    """
    for name in names:
        if (root / name / HIGH).is_dir():
            return root / name
    wanted = " or ".join(f"{name}/{HIGH}" for name in names)
    raise DataError(f"{root} has no folder {wanted}; put the undegraded recordings there.")


def find_pairs(folder: Path, sample_rate: int) -> list[Pair]:
    """The pairs of `folder`, whose versions have the same path below `high` and `low` but for the suffix.

    Those that cannot be read or aligned are named and left out.

    Raises:
        AudioError: a folder without audio.
        DataError: no pair can be used, or two files are one version of a recording.
    """
    versions = {name: by_stem(folder / name) for name in (HIGH, LOW)}
    both = [stem for stem in versions[HIGH] if stem in versions[LOW]]
    single = [path for name in (HIGH, LOW) for stem, path in versions[name].items() if stem not in both]
    if not both:
        raise DataError(
            f"No file in {folder / LOW} has the name of one in {folder / HIGH}; give both versions of a recording the "
            "same path below these folders."
        )
    if single:
        logger.warning(
            "%d files in %s have no other version (such as %s) and are left out.", len(single), folder, single[0]
        )
    with ThreadPoolExecutor() as threads:
        aligned = threads.map(lambda stem: _aligned(versions[HIGH][stem], versions[LOW][stem], sample_rate), both)
        results = list(tqdm(aligned, total=len(both), desc="Aligning", unit="pair", delay=2, leave=False))
    pairs = [result for result in results if isinstance(result, Pair)]
    reasons = [result for result in results if isinstance(result, str)]
    if reasons:
        logger.warning("%d of %d pairs are left out: %s", len(reasons), len(both), " ".join(reasons))
    if not pairs:
        raise DataError(f"None of the {len(both)} pairs in {folder} can be used; the first: {reasons[0]}")
    _tell_delays(pairs, folder, sample_rate)
    return pairs


def _tell_delays(pairs: Iterable[Pair], folder: Path, sample_rate: int) -> None:
    delays = sorted(pair.delay for pair in pairs if pair.delay)
    if delays:
        least, most = (1000 * delay / sample_rate for delay in (delays[0], delays[-1]))
        logger.info(
            "In %d pairs of %s, low comes later than high, by %.2f to %.2f ms; this is undone.",
            *(len(delays), folder, least, most),
        )


def _aligned(high_path: Path, low_path: Path, sample_rate: int) -> Pair | str:
    """The pair, or the reason why it is none."""
    try:
        high, low = inspect_audio(high_path), inspect_audio(low_path)
        delays = _delays(high, low, sample_rate)
    except AudioError as error:
        return str(error)
    found = [delay.samples for delay in delays if delay.correlation >= ALIKE]
    if 2 * len(found) <= len(delays):
        return f"{low_path} and {high_path} do not sound alike at any delay up to {FARTHEST_S:g} s."
    if max(found) - min(found) > STEADY:
        return f"{low_path} drifts against {high_path}, by {max(found) - min(found)} samples."
    delay = round(statistics.median(found))
    lengths = length_at(high, sample_rate), length_at(low, sample_rate) - delay
    if abs(lengths[0] - lengths[1]) > LONGEST_REMAINDER_S * sample_rate:
        return f"{low_path} and {high_path} differ in length by {abs(lengths[0] - lengths[1]) / sample_rate:.1f} s."
    return Pair(high, low, delay, max(0, -delay), min(lengths))


def _delays(high: AudioInfo, low: AudioInfo, sample_rate: int) -> list[Delay]:
    """What is measured in some places where both have sound."""
    shorter = min(length_at(info, sample_rate) for info in (high, low))
    length = min(shorter, round(STRETCH_S * sample_rate))
    limit = min(round(FARTHEST_S * sample_rate), length // 2)
    places = min(STRETCHES, -(-shorter // length))
    delays = []
    for i in range(places):
        start = i * (shorter - length) // max(places - 1, 1)
        ours, theirs = (read_stretch(info, start, length, sample_rate).mean(dim=0) for info in (low, high))
        if all(float(audio.square().mean().sqrt()) > SILENCE_RMS for audio in (ours, theirs)):
            delays.append(measure_delay(ours, theirs, sample_rate, limit))
    return delays
