"""Speech-like clips: syllables of a glottal source with formants, fricatives and plosives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from saga_sr.synthesis.music import add
from saga_sr.synthesis.noise import ended, shaped, white
from saga_sr.synthesis.tones import Signal, from_db, phase_counter, table_index, wavetables

# First three formants of vowels in Hz, a male voice (Peterson & Barney, 1952).
VOWELS = (
    (270, 2290, 3010), (390, 1990, 2550), (530, 1840, 2480), (660, 1720, 2410), (730, 1090, 2440),
    (570, 840, 2410), (440, 1020, 2240), (300, 870, 2240), (640, 1190, 2390), (490, 1350, 1690),
)  # fmt: skip
# Fricatives: peak in Hz, rise and fall in dB per octave, level in dB re the vowel.
FRICATIVES = ((8000, 15, 14, -6), (3600, 14, 9, -6), (8000, 3, 7, -20), (6500, 4, 8, -22), (1500, 5, 8, -20))


class Speaker:
    """A voice: pitch, vocal-tract length, tilt of the glottal source, breathiness."""

    def __init__(self, rng: np.random.Generator, rate: int) -> None:
        self.rate = rate
        self.f0_hz = 10 ** rng.uniform(1.93, 2.42)
        self.tract = 0.92 + 0.28 * (np.log10(self.f0_hz) - 1.93) / 0.49 + rng.normal(0, 0.02)
        self.tilt = rng.uniform(8.5, 10.5)
        self.breath_db = rng.uniform(-32, -26)
        self.higher = 3500 + 1000 * np.arange(8) + rng.normal(0, 80, 8)

    def envelope_db(self, vowel: tuple[int, ...], hz: NDArray[np.floating]) -> NDArray[np.floating]:
        """Level of the voice at `hz`: source tilt and formants, the higher ones wider."""
        formants = np.concatenate([np.asarray(vowel, float), self.higher]) * self.tract
        width = 60 + 0.05 * formants
        gain = from_db(-6 * np.log2(np.maximum(formants / 500, 1)))
        peaks = gain / np.sqrt(1 + ((hz[:, None] - formants) / width) ** 2)
        level = 20 * np.log10(peaks.sum(axis=1) + 1e-5) - (self.tilt - 6) * np.log2(np.maximum(hz / 200, 1))
        # The radiated voice falls steeply above the formants that the vowels share.
        return level - 14 * np.log2(np.maximum(hz / (4200 * self.tract), 1))

    def vowel(self, rng: np.random.Generator, n: int) -> Signal:
        """A voiced stretch gliding from one vowel to another, with breath noise that follows the glottal pulses."""
        rate = self.rate
        f0 = self.f0_hz * np.linspace(2 ** rng.normal(0, 0.15), 2 ** rng.normal(0, 0.15), n)
        phase = phase_counter(f0, n, rate, rng.random())
        index = table_index(phase)
        k = np.arange(1, max(2, int(0.98 * rate / 2 / f0.max())))
        phases = 0.3 * k + rng.normal(0, 0.3, len(k))
        first, last = (VOWELS[i] for i in rng.integers(len(VOWELS), size=2))
        # Pulses are regular up to a few kHz; above, breath takes their place.
        regular = -10 * np.log2(np.maximum(k * self.f0_hz / 3000, 1))
        tables = wavetables(
            from_db(np.stack([self.envelope_db(v, k * self.f0_hz) for v in (first, last)]) + regular), phases
        )
        glide = np.linspace(0, 1, n, dtype=np.float32)
        voice = tables[0][index] + glide * (tables[1][index] - tables[0][index])
        breath = shaped(
            white(rng, n),
            rate,
            lambda hz: self.envelope_db(first, hz) + 9 * np.log2(np.maximum(hz / 1500, 1)),
        )
        # A triangle over the cycle opens the breath once a pulse.
        pulse = np.abs(phase.view(np.int32)) * np.float32(2**-31)
        voice += breath * pulse * from_db(self.breath_db + 20)
        ramp = min(n // 3, int(0.02 * rate))
        voice[:ramp] *= np.linspace(0, 1, ramp, dtype=np.float32)
        voice[n - ramp :] *= np.linspace(1, 0, ramp, dtype=np.float32)
        return voice / (np.sqrt(np.dot(voice, voice) / n) + 1e-9)

    def consonant(self, rng: np.random.Generator, n: int) -> Signal:
        """A fricative, or a plosive: a gap, then a burst."""
        centre_hz, rise, fall, level = FRICATIVES[rng.integers(len(FRICATIVES))]
        peak_hz = centre_hz * rng.uniform(0.93, 1.07)
        noise = shaped(white(rng, n), self.rate, lambda hz: np.where(hz < peak_hz, rise, -fall) * np.log2(hz / peak_hz))
        noise *= from_db(level + rng.normal(0, 1.5)) / (np.sqrt(np.dot(noise, noise) / n) + 1e-9)
        if rng.random() < 0.35:
            t = np.arange(n, dtype=np.float32)
            return noise * np.exp(-t / np.float32(0.012 * self.rate)) * np.float32(3)
        return noise * np.hanning(n).astype(np.float32) * np.float32(1.6)


def speech(rng: np.random.Generator, n: int, rate: int) -> tuple[list[Signal], list[str]]:
    """The single track of a speech-like clip, and its name."""
    speaker = Speaker(rng, rate)
    track = np.zeros(n, np.float32)
    at = -int(rng.uniform(0, 0.2) * rate)
    while at < n:
        if rng.random() < 0.7:
            length = int(rng.uniform(0.05, 0.14) * rate)
            add(track, at, speaker.consonant(rng, length), rng.uniform(0.5, 1))
            at += int(0.85 * length)
        length = int(rng.uniform(0.07, 0.25) * rate)
        add(track, at, speaker.vowel(rng, length), rng.uniform(0.4, 1))
        at += int(0.95 * length)
        if rng.random() < 0.15:
            at += int(rng.uniform(0.05, 0.3) * rate)
    # High voices are a synthesiser's at 24 kHz, low ones come from a wider recording.
    high = speaker.f0_hz > 165
    return [ended(track, rate, 10_800 if high else 16_000)], ["high voice" if high else "low voice"]
