"""Music-like clips: instruments playing chords, melodies and basses in time with drums."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from saga_sr.synthesis.drums import cymbal, hat, kick, snare
from saga_sr.synthesis.noise import ended, white
from saga_sr.synthesis.tones import Signal, Timbre

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10))
Drum = Callable[[np.random.Generator, np.random.Generator, int], Signal]
DRUMS: tuple[Drum, ...] = (kick, snare, hat, cymbal)
KITS = 4
PARTS = {"bass": (28, 45), "chords": (48, 72), "melody": (55, 90)}


def hz_of(midi: float) -> float:
    """Frequency of a MIDI note."""
    return 440 * 2 ** ((midi - 69) / 12)


def add(track: Signal, at: int, sound: Signal, gain: float = 1.0) -> None:
    """Add `sound` to `track` from sample `at` (which may be negative) on, as far as it reaches."""
    begin, end = max(at, 0), min(at + len(sound), len(track))
    if begin < end:
        track[begin:end] += np.float32(gain) * sound[begin - at : end - at]


def play_part(rng: np.random.Generator, part: str, beat: int, n: int, rate: int) -> Signal:
    """One instrument's track over `n` samples."""
    track = np.zeros(n, np.float32)
    timbre = Timbre(rng, rate)
    noise = ended(white(rng, rate // 3), rate, timbre.end_hz)
    low, high = PARTS[part]
    scale, root = SCALES[rng.integers(len(SCALES))], int(rng.integers(12))
    degrees = (*scale, *(12 + degree for degree in scale))
    lowest = int(rng.integers(low, high - 23)) + root if high - low > 23 else low + root % 6
    step = int(beat * rng.choice([1.0, 2.0] if part == "chords" else [0.5, 0.5, 1.0]))
    notes: list[tuple[int, int, int, float]] = []  # scale degree, begin, length, velocity
    for at in range(-int(rng.integers(step)), n, step):
        length = min(int(step * rng.choice([0.5, 0.95, 1.0])), 2 * rate)
        if rng.random() < 0.12 or at + length < 0:
            continue
        degree = int(rng.integers(len(scale)))
        stack = (degree, degree + 2, degree + 4) if part == "chords" else (degree,)
        notes += [(d, at, length, rng.uniform(0.4, 1) / np.sqrt(len(stack))) for d in stack]
    if not notes:
        return track
    used = sorted({note[0] for note in notes})
    detune = rng.normal(0, 0.1)
    pitches = np.array([hz_of(lowest + degrees[degree] + detune) for degree in used])
    tables = timbre.tables(rng, pitches)
    for degree, at, length, velocity in notes:
        i = used.index(degree)
        add(track, at, timbre.note(rng, tables[:, i], pitches[i], length, noise), velocity)
    return track


def play_drums(rng: np.random.Generator, beat: int, n: int, rate: int) -> Signal:
    """A drum pattern over `n` samples; a kit's hits sound alike all through it, as a drum machine's do."""
    track = np.zeros(n, np.float32)
    step = beat // 2
    offset, position = int(rng.integers(step)), int(rng.integers(8))
    hits: list[tuple[Drum, int, float]] = []
    for i, at in enumerate(range(-offset, n, step)):
        place, at = (i + position) % 8, at + int(rng.normal(0, 0.003) * rate)
        if place in (0, 4) or rng.random() < 0.1:
            hits.append((kick, at, rng.uniform(0.7, 1)))
        if place in (2, 6):
            hits.append((snare, at, rng.uniform(0.4, 0.7)))
        if rng.random() < 0.8:
            hits.append((hat, at, rng.uniform(0.3, 1)))
        if place == 0 and rng.random() < 0.3:
            hits.append((cymbal, at, 1.0))
    kit = int(rng.integers(KITS))
    sounds: dict[Drum, Signal] = {}
    for drum, at, gain in hits:
        if drum not in sounds:
            sounds[drum] = drum(rng, np.random.default_rng([kit, DRUMS.index(drum)]), rate)
        add(track, at, sounds[drum], gain)
    return track


def music(rng: np.random.Generator, n: int, rate: int) -> tuple[list[Signal], list[str]]:
    """The tracks of a music-like clip, and their names."""
    beat = int(60 / rng.uniform(75, 165) * rate)
    parts = [part for part, chance in (("bass", 0.55), ("chords", 0.55), ("melody", 0.7)) if rng.random() < chance]
    drums = rng.random() < 0.5
    if not parts and not drums:
        parts = ["melody"]
    tracks = [play_part(rng, part, beat, n, rate) * np.float32(rng.uniform(0.3, 1)) for part in parts]
    if drums:
        tracks.append(play_drums(rng, beat, n, rate) * np.float32(rng.uniform(0.3, 1)))
    return tracks, parts + ["drums"] * drums
