"""Stretches of a file at another rate, cut exactly where they would lie in the whole file at that rate."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import pad

from saga_sr.audio.resample import ROLLOFF, ZERO_CROSSINGS, resample
from saga_sr.files.reading import AudioInfo, AudioReader


def length_at(info: AudioInfo, sample_rate: int) -> int:
    """How many samples the file has at `sample_rate`."""
    return -(-info.frames * sample_rate // info.sample_rate)


def read_stretch(info: AudioInfo, start: int, count: int, sample_rate: int) -> Tensor:
    """Samples `start` to `start + count` of the file, counted at `sample_rate`: [channels, count], silent beyond it.

    Stretches of two files at different rates, read at the same `start`, are of the same moment to the sample.

    Raises:
        AudioError: the data is damaged or truncated.
    """
    shared = math.gcd(info.sample_rate, sample_rate)
    # Every `up` samples at the new rate and every `down` of the file's own coincide.
    up, down = sample_rate // shared, info.sample_rate // shared
    reach = math.ceil(ZERO_CROSSINGS / ROLLOFF * max(1.0, down / up)) if up != down else 0
    margin = -(-reach // down)
    first, last = start // up - margin, -(-(start + count) // up) + margin
    begin, end = max(first * down, 0), min(last * down, info.frames)
    if begin >= end:
        with AudioReader(info.path) as reader:
            return reader.read(0, 1)[:, :0].new_zeros(info.channels, count)
    with AudioReader(info.path) as reader:
        audio = reader.read(begin, end - begin)
    audio = resample(pad(audio, (begin - first * down, last * down - end)), info.sample_rate, sample_rate)
    skipped = start - first * up
    return audio[:, skipped : skipped + count]
