"""Rooms: reverberation whose highs die first."""

from __future__ import annotations

import numpy as np
from scipy import fft

from saga_sr.synthesis.noise import white
from saga_sr.synthesis.tones import Signal, from_db


def reverberated(rng: np.random.Generator, dry: Signal, rate: int) -> tuple[Signal, str]:
    """`dry` in a room, and the room's name: decaying noise, its top octaves damped by a short average."""
    seconds = 10 ** rng.uniform(-1.0, -0.25)
    n = int(min(seconds, 0.5) * rate)
    tail = white(rng, n) * np.exp(-np.arange(n, dtype=np.float32) * np.float32(6.9 / (seconds * rate)))
    damped = tail.copy()
    damped[2:-2] = 0.25 * (tail[:-4] + tail[4:]) + 0.5 * tail[2:-2]
    damped[1:-1] = 0.25 * (damped[:-2] + damped[2:]) + 0.5 * damped[1:-1]
    tail = damped + np.linspace(1, 0, n, dtype=np.float32) ** 3 * (tail - damped)
    tail *= from_db(rng.uniform(-22, -6)) / np.sqrt(np.dot(tail, tail))
    tail[: int(0.004 * rate)] = 0
    tail[0] = 1
    size = fft.next_fast_len(len(dry) + n)
    wet = fft.irfft(fft.rfft(dry, size) * fft.rfft(tail, size), size)[: len(dry)]
    return wet, "small room" if seconds < 0.3 else "hall"
