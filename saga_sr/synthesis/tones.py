"""Pitched tones from wavetables: exact harmonic series, band-limited by construction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Signal = NDArray[np.float32]
# Reading the nearest of so many points leaves an error 79 dB below the fundamental.
TABLE_BITS = 14
TABLE = 1 << TABLE_BITS
CYCLE = 1 << 32  # a cycle in the 32-bit phase counter, whose overflow is the wrap-around


def from_db(level: NDArray[np.floating] | float) -> NDArray[np.float32]:
    """Amplitude of a level in dB."""
    return (10 ** (np.asarray(level) / 20)).astype(np.float32)


def wavetables(amplitudes: NDArray[np.floating], phases: NDArray[np.floating]) -> Signal:
    """Cycles with the given partials: [table, partial] -> [table, TABLE]; the first partial is the fundamental."""
    spectrum = np.zeros((len(amplitudes), TABLE // 2 + 1), np.complex64)
    spectrum[:, 1 : amplitudes.shape[1] + 1] = amplitudes * (TABLE / 2 * np.exp(1j * phases))
    return fft.irfft(spectrum, TABLE)


def phase_counter(f0_hz: NDArray[np.floating] | float, n: int, rate: int, start: float) -> NDArray[np.uint32]:
    """The phase of `n` samples in 2^-32 cycles, for a constant pitch or one per sample."""
    first = np.uint32(start * (CYCLE - 1))
    if isinstance(f0_hz, np.ndarray):
        return np.cumsum((f0_hz * (CYCLE / rate)).astype(np.uint32), dtype=np.uint32) + first
    return np.arange(n, dtype=np.uint32) * np.uint32(round(f0_hz * CYCLE / rate)) + first


def table_index(phase: NDArray[np.uint32]) -> NDArray[np.intp]:
    """The nearest table position of a phase."""
    return (phase >> np.uint32(32 - TABLE_BITS)).astype(np.intp)


INSTRUMENTS = 10


class Timbre:
    """An instrument's partials as levels over frequency: a tilt, a few body resonances and a brightness limit.

    Real instruments lose high partials faster than low ones, so a note is played from a bright table and a dull one.
    """

    def __init__(self, rng: np.random.Generator, rate: int) -> None:
        self.rate = rate
        # What instrument it is says nearly all; each specimen differs a little.
        instrument = np.random.default_rng(int(rng.integers(INSTRUMENTS)))
        self.tilt = instrument.uniform(3, 10) + rng.normal(0, 0.3)
        self.resonance_octave = instrument.uniform(0, 7, 5)
        self.resonance_db = instrument.uniform(-7, 9, 5) + rng.normal(0, 0.7, 5)
        self.limit_hz = 10 ** (instrument.uniform(3.2, 3.9) + rng.normal(0, 0.02))
        self.slope = instrument.uniform(6, 16) + rng.normal(0, 0.7)
        # Samplers and synthesisers end where their own sampling rate did.
        self.end_hz = float(instrument.choice([9500.0, 10_500.0, 12_000.0, 15_000.0, 20_000.0]))
        self.odd_only_db = instrument.choice([0.0, 0.0, 0.0, -18.0])
        self.ripple_db = instrument.uniform(0.5, 3)
        self.dulling = instrument.uniform(3, 9)
        self.attack_s = 10 ** instrument.uniform(-3, -1.3)
        self.decay_s = 10 ** instrument.uniform(-1, 0.5)
        self.sustained = instrument.random() < 0.5
        self.vibrato = instrument.uniform(0, 0.012) if self.sustained else 0.0
        self.breath_db = instrument.uniform(-58, -30) + rng.normal(0, 1)

    def tables(self, rng: np.random.Generator, pitches_hz: NDArray[np.floating]) -> Signal:
        """The bright and the dull table of each pitch, [2, pitch, TABLE]."""
        f0_hz = pitches_hz[:, None]
        k = np.arange(1, max(2, int(0.49 * self.rate / pitches_hz.min())))
        hz = (k * f0_hz).astype(np.float32)
        level = -self.slope * np.log2(np.maximum(hz / self.limit_hz, 1))
        octave = np.log2(hz / 80)
        for centre, gain_db in zip(self.resonance_octave, self.resonance_db, strict=True):
            level += gain_db * np.exp(-4 * (octave - centre) ** 2)
        level += self.ripple_db * rng.standard_normal(len(k), np.float32) - self.tilt * np.log2(k)
        level[:, 1::2] += self.odd_only_db
        bright = from_db(level)
        # Vibrato included, no partial reaches the end of the instrument's band, nor Nyquist.
        bright *= hz * (1 + 2 * self.vibrato) < min(self.end_hz, 0.49 * self.rate)
        bright /= np.sqrt((bright**2).sum(axis=1, keepdims=True))
        dull = bright * from_db(-self.dulling * np.log2(k))
        phases = rng.uniform(0, 2 * np.pi, len(k))
        return wavetables(np.concatenate([bright, dull]), phases).reshape(2, len(pitches_hz), TABLE)

    def note(self, rng: np.random.Generator, tables: Signal, f0_hz: float, n: int, noise: Signal) -> Signal:
        """A note of `n` samples from its two `tables`; it begins with breath, hammer or bow noise from `noise`."""
        rate = self.rate
        bright, dull = tables
        t = np.arange(n, dtype=np.float32) / np.float32(rate)
        pitch: NDArray[np.floating] | float = f0_hz
        if self.vibrato:
            pitch = f0_hz * (1 + np.float32(self.vibrato) * np.sin(np.float32(2 * np.pi * rng.uniform(4, 7)) * t))
        index = table_index(phase_counter(pitch, n, rate, rng.random()))
        envelope = np.exp(t * np.float32(-1 / (4 * self.decay_s if self.sustained else self.decay_s)))
        brightness = envelope if self.sustained else envelope * envelope
        tone = bright[index]
        low = dull[index]
        tone -= low
        tone *= brightness
        tone += low
        m = min(n, len(noise))
        burst = np.exp(t[:m] * np.float32(-1 / (0.1 if self.sustained else 0.02)))
        tone[:m] += burst * noise[:m] * from_db(self.breath_db)
        rise = min(n, int(6 * self.attack_s * rate) + 1)
        envelope[:rise] *= 1 - np.exp(t[:rise] * np.float32(-1 / self.attack_s))
        release = min(n // 2, int(0.02 * rate))
        envelope[n - release :] *= np.linspace(1, 0, release, dtype=np.float32)
        tone *= envelope
        return tone
