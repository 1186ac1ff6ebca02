"""Drum hits: low thumps, broadband bursts, and metal above."""

from __future__ import annotations

import numpy as np

from saga_sr.synthesis.noise import shaped, white
from saga_sr.synthesis.tones import Signal


def _decay(n: int, rate: int, seconds: float) -> Signal:
    return np.exp(-np.arange(n, dtype=np.float32) / np.float32(seconds * rate))


def kick(rng: np.random.Generator, kit: np.random.Generator, rate: int) -> Signal:
    """A falling sine with a click."""
    n = int(0.3 * rate)
    t = np.arange(n, dtype=np.float32) / rate
    fall_s, low_hz, high_hz = kit.uniform(0.01, 0.05), kit.uniform(40, 70), kit.uniform(120, 400)
    phase = 2 * np.pi * (low_hz * t + (high_hz - low_hz) * fall_s * (1 - np.exp(-t / np.float32(fall_s))))
    tilt = kit.uniform(2, 6)
    click = shaped(white(rng, 2048), rate, lambda hz: -tilt * np.log2(hz / 500))
    hit = np.sin(phase, dtype=np.float32) * _decay(n, rate, kit.uniform(0.05, 0.15))
    hit[:2048] += np.float32(kit.uniform(0.1, 0.5)) * click * _decay(2048, rate, kit.uniform(0.002, 0.008))
    return hit


def snare(rng: np.random.Generator, kit: np.random.Generator, rate: int) -> Signal:
    """A short tone under a burst of noise that loses its top first."""
    n = int(0.2 * rate)
    t = np.arange(n, dtype=np.float32) / rate
    peak_hz, tilt = kit.uniform(2e3, 6e3), kit.uniform(2, 7)
    noise = shaped(white(rng, n), rate, lambda hz: -tilt * np.abs(np.log2(hz / peak_hz)))
    tone = np.sin(np.float32(2 * np.pi * kit.uniform(160, 280)) * t) * _decay(n, rate, kit.uniform(0.03, 0.08))
    return tone * np.float32(kit.uniform(0.3, 1)) + noise * _decay(n, rate, kit.uniform(0.03, 0.1))


def metal(rng: np.random.Generator, kit: np.random.Generator, rate: int, decay_s: float) -> Signal:
    """A hi-hat or cymbal: noise that rises to its peak between 8 and 13 kHz, with a faint low part."""
    n = int(min(0.4, 5 * decay_s) * rate)
    peak_hz, rise, fall = kit.uniform(8e3, 13e3), kit.uniform(7, 12), kit.uniform(10, 24)
    noise = shaped(white(rng, n), rate, lambda hz: np.where(hz < peak_hz, rise, -fall) * np.log2(hz / peak_hz))
    return noise * _decay(n, rate, decay_s)


def hat(rng: np.random.Generator, kit: np.random.Generator, rate: int) -> Signal:
    """A hi-hat, closed or a little open."""
    return np.float32(kit.uniform(0.3, 0.8)) * metal(rng, kit, rate, 10 ** rng.uniform(-2, -1.1))


def cymbal(rng: np.random.Generator, kit: np.random.Generator, rate: int) -> Signal:
    """A crash or ride cymbal."""
    return np.float32(kit.uniform(0.3, 0.6)) * metal(rng, kit, rate, rng.uniform(0.1, 0.3))
