"""Samples of uncompressed files and FLAC, by libsndfile."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from saga_sr.core.storage import is_address, open_to_read
from saga_sr.files.damage import Damage
from saga_sr.files.short_vorbis import is_short_vorbis

# Subtypes in which a sample's place in the file is known: all of what libsndfile reads exactly.
EXACT = re.compile(r"PCM_|FLOAT|DOUBLE|ULAW|ALAW|ALAC_")
# How the files begin that libsndfile reads. By the names of others it would try its MPEG decoder on them,
# which cuts some short, and prints.
BEGINNINGS = re.compile(
    rb"(?:RIFF|RIFX|RF64)....WAVE|FORM....AIF[FC]|\.snd|dns\.|caff|fLaC|riff\x2e\x91\xcf\x11", re.DOTALL
)
# libsndfile's remark on a chunk that the file is too short for: `data : 4000 (should be 1000)`.
CUT_CHUNK = re.compile(r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
# A size that nobody knew when the header was written, as in what comes from a pipe.
UNKNOWN_SIZE = 0x7FFF_0000


class SndfileSource:
    """A file that libsndfile reads as it should.

    Attributes:
        damage: what is missing at its end.
        notes: none.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, file: soundfile.SoundFile) -> None:
        self._file = file
        self.sample_rate, self.channels, self.frames = file.samplerate, file.channels, file.frames
        self.floats = file.subtype in ("FLOAT", "DOUBLE")
        self.container, self.encoding = file.format, file.subtype
        self.damage = Damage(file.samplerate, missing_s=_missing(file.extra_info) * file.frames / file.samplerate)

    def read(self, start: int, frames: int) -> np.ndarray:
        """Samples [channels, frames] from `start` on, float32.

        Raises:
            soundfile.SoundFileError, RuntimeError: the data is damaged.
        """
        self._file.seek(start)
        samples = self._file.read(frames, dtype="float32", always_2d=True)
        if len(samples) < frames:
            raise RuntimeError("data is missing")
        return samples.T

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_by_libsndfile(path: Path) -> SndfileSource | None:
    """The file at `path`, or None where ffmpeg's libraries are to read it.

    Those are compressed files but FLAC and the shortest of Vorbis, and FLAC whose last sample is not where the header
    tells.
    """
    raw = open_to_read(path)
    source = _opened(path, raw)
    # What is elsewhere goes on to be read through it.
    if source is None or not is_address(path):
        raw.close()
    return source


def _opened(path: Path, raw: BinaryIO) -> SndfileSource | None:
    is_short = is_short_vorbis(raw)
    raw.seek(0)
    if not is_short and not BEGINNINGS.match(raw.read(12)):
        return None
    raw.seek(0)
    try:
        file = soundfile.SoundFile(raw if is_address(path) else os.fsencode(path))
    except (soundfile.SoundFileError, TypeError, OSError):
        return None
    is_exact = EXACT.match(file.subtype) or (is_short and file.channels <= 2)  # Vorbis has an order of its own for more
    if is_exact and file.frames > 0 and (file.format not in ("FLAC", "OGG") or _reaches_its_end(file)):
        return SndfileSource(file)
    file.close()
    return None


def _reaches_its_end(file: soundfile.SoundFile) -> bool:
    try:
        file.seek(file.frames - 1)
        return len(file.read(1)) == 1
    except (soundfile.SoundFileError, RuntimeError):
        return False


def _missing(log: str) -> float:
    """How much is missing, as a part of what there is."""
    sizes = [(int(told), int(there)) for told, there in CUT_CHUNK.findall(log)]
    return max((told / there - 1 for told, there in sizes if 0 < there < told < UNKNOWN_SIZE), default=0.0)
