"""Models of listeners: PESQ, STOI and ViSQOL, by packages of the extra `metrics`.

Each hears one channel at a rate of its own, so that audio is resampled and channels are averaged. PESQ and STOI are
made for speech; of music they tell little.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from torch import Tensor

from saga_sr.audio.resample import resample
from saga_sr.core.errors import ExtraError
from saga_sr.core.imports import extras_named

# PESQ (whose code has places for 50 utterances) and ViSQOL are made for stretches of about this length.
STRETCH_S = 10.0
NOTHING = 1e-6


class NotDefined(Exception):
    """A metric says nothing about a signal; the message is why."""


@dataclass(frozen=True)
class Listener:
    """One of the metrics.

    Attributes:
        title: its name, and what the best is.
        rate: at which it hears, in Hz; `least_rate` is the lowest that recordings may have.
        least_s: the shortest that it hears.
        judge: `(reference, output)`, float64 arrays [time] at `rate`, to its value.
    """

    title: str
    rate: int
    least_rate: int
    least_s: float
    judge: Callable[[np.ndarray, np.ndarray], float]


def pesq(reference: np.ndarray, output: np.ndarray) -> float:
    """Perceptual evaluation of speech quality, wide-band: a mean opinion score, 4.64 the best.

    Source: ITU-T P.862.2, by the package pesq.
    """
    from pesq import NoUtterancesError
    from pesq import pesq as judge

    try:
        return float(judge(16_000, reference, output, "wb"))
    except NoUtterancesError as error:
        raise NotDefined("it finds no utterance") from error
    except ValueError as error:  # of an output that is silent
        raise NotDefined("the output is silent") from error


def stoi(reference: np.ndarray, output: np.ndarray) -> float:
    """Short-time objective intelligibility, 1 the best.

    Source: Taal et al. (2011), by the package pystoi.
    """
    from pystoi import stoi as judge

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(judge(reference, output, 10_000))
        except RuntimeWarning as warning:
            raise NotDefined("too little of it is sound") from warning


def visqol(reference: np.ndarray, output: np.ndarray) -> float:
    """ViSQOL of audio: a mean opinion score, 4.73 the best.

    Source: Chinen et al. (2020), by the package visqol-python.
    """
    with np.errstate(invalid="ignore"):
        return float(_visqol().measure_from_arrays(reference, output, sample_rate=48_000).moslqo)


@lru_cache(maxsize=1)
def _visqol() -> Any:
    from visqol import VisqolApi

    api = VisqolApi()
    api.create(mode="audio")
    return api


LISTENERS: Mapping[str, Listener] = {
    "pesq": Listener("PESQ", 16_000, 16_000, 0.3, pesq),
    "stoi": Listener("STOI", 10_000, 10_000, 0.5, stoi),
    "visqol": Listener("ViSQOL", 48_000, 32_000, 1.0, visqol),
}


@dataclass(frozen=True)
class Heard:
    """The value of each metric by name, None where it is not defined; and the reasons of those."""

    values: dict[str, float | None]
    reasons: dict[str, str]


def listen(output: Tensor, reference: Tensor, sample_rate: int) -> Heard:
    """All metrics of `output` against `reference`, both [c, time]; what is not installed or defined has a reason."""
    values: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for name, listener in LISTENERS.items():
        try:
            with extras_named():
                values[name] = judged(listener, output, reference, sample_rate)
        except (NotDefined, ExtraError) as error:
            values[name], reasons[name] = None, str(error)
    return Heard(values, reasons)


def judged(listener: Listener, output: Tensor, reference: Tensor, sample_rate: int) -> float:
    """The mean over channels and stretches of about 10 s, those left out of which nothing can be said.

    Raises:
        NotDefined: there are no others.
        ModuleNotFoundError: the package is not installed.
    """
    if sample_rate < listener.least_rate:
        raise NotDefined(f"it needs {listener.least_rate} Hz, and the recording has {sample_rate}")
    if reference.shape[-1] < listener.least_s * sample_rate:
        raise NotDefined(f"it needs {listener.least_s:g} s")
    signals = [resample(audio.double(), sample_rate, listener.rate).numpy() for audio in (reference, output)]
    parts = max(1, round(signals[0].shape[-1] / listener.rate / STRETCH_S))
    found, why = [], "the reference is silent"
    for channel in zip(*signals, strict=True):
        for expected, heard in zip(*(np.array_split(signal, parts) for signal in channel), strict=True):
            if np.abs(expected).max() <= NOTHING:
                continue
            try:
                value = listener.judge(expected, heard)
            except NotDefined as error:
                why = str(error)
                continue
            if math.isfinite(value):
                found.append(value)
            else:
                why = "the output is silent"
    if not found:
        raise NotDefined(why)
    return sum(found) / len(found)
