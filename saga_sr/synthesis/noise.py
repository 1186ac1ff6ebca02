"""Noise: white stretches, spectral shapes, room tone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from saga_sr.synthesis.tones import Signal, from_db


def white(rng: np.random.Generator, n: int) -> Signal:
    """Noise with unit variance; uniform, which is drawn much faster than normal and sounds the same."""
    noise = rng.random(n, dtype=np.float32)
    noise -= np.float32(0.5)
    noise *= np.float32(12**0.5)
    return noise


def shaped(noise: Signal, rate: int, levels_db: Callable[[NDArray[np.floating]], NDArray[np.floating]]) -> Signal:
    """`noise` [..., n] with the levels `levels_db(hz)` ([..., hz] or [hz]) over frequency."""
    size = fft.next_fast_len(noise.shape[-1])
    spectrum = fft.rfft(noise, size)
    # Shapes are smooth: a step of 1/128 of the band tells them.
    points = np.linspace(20, rate / 2, 128, dtype=np.float32)
    gain = from_db(levels_db(points))
    repeats = -(-spectrum.shape[-1] // 128)
    spectrum *= np.repeat(gain, repeats, axis=-1)[..., : spectrum.shape[-1]]
    return fft.irfft(spectrum, size)[..., : noise.shape[-1]]


def ended(sound: Signal, rate: int, end_hz: float) -> Signal:
    """`sound` [n] without what lies above `end_hz`, as a recording at a lower rate is."""
    return shaped(sound, rate, lambda hz: np.where(hz < end_hz, 0.0, -120.0))


def room_tone(rng: np.random.Generator, n: int, rate: int) -> tuple[Signal, float]:
    """A recording's noise floor, falling gently with frequency, and its level: -80 dBFS, give or take 2 dB."""
    level = rng.normal(-80, 2)
    floor = shaped(white(rng, n), rate, lambda hz: -1.5 * np.log2(hz / 1000) + 2 * np.exp(-(np.log2(hz / 7000) ** 2)))
    return floor * from_db(level) / np.sqrt(np.dot(floor, floor) / n), level
