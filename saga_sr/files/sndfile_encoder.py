"""Files that libsndfile writes: FLAC, OGG and AIFF."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile

from saga_sr.files.channel_layout import VORBIS_ORDER
from saga_sr.files.output_formats import Depth

# Samples of all channels; libsndfile's Vorbis encoder overflows its stack on long blocks.
BLOCK = 131_072
# Of Vorbis: its quality 8, about 128 kb/s for each channel.
COMPRESSION = {"OGG": 0.2}
SUBTYPES: dict[Depth, str] = {16: "PCM_16", 24: "PCM_24", "float": "FLOAT", "OGG": "VORBIS"}


class SndfileEncoder:
    """A file being written to `path`.

    Args:
        name: libsndfile's, of the format.
        depth: 16, 24 or `float`; None where samples are not stored.

    Raises:
        soundfile.SoundFileError, ValueError: a rate or channel count that the format does not take.
    """

    def __init__(self, path: Path, name: str, sample_rate: int, channels: int, depth: Depth | None) -> None:
        self._path, self._name, self._depth = path, name, depth
        vorbis_order = VORBIS_ORDER.get(channels) if name == "OGG" else None
        self._order = slice(None) if vorbis_order is None else vorbis_order
        subtype = SUBTYPES[name if depth is None else depth]
        self._file = soundfile.SoundFile(
            os.fsencode(path),
            "w",
            sample_rate,
            channels,
            subtype=subtype,
            format=name,
            compression_level=COMPRESSION.get(name),
        )

    def write(self, samples: np.ndarray) -> None:
        """Append `samples` [time, channels].

        Raises:
            soundfile.SoundFileError, RuntimeError: the disk is full or went away.
        """
        block = BLOCK // self._file.channels
        for begin in range(0, len(samples), block):
            self._file.write(samples[begin : begin + block][:, self._order])

    def close(self) -> None:
        """Write what is left.

        Raises:
            soundfile.SoundFileError, RuntimeError, OSError: the disk is full or went away.
        """
        self._file.close()
        if self._depth == "float":
            _without_time(self._path)
        if self._name == "OGG":
            _with_constant_serial(self._path)


def _with_constant_serial(path: Path) -> None:
    """Give an Ogg stream the number 1, where libsndfile has drawn one: equal audio is equal files."""
    # mutagen takes a while to import.
    from mutagen.ogg import OggPage
    from mutagen.ogg import error as OggError

    try:
        with path.open("r+b") as file, suppress(EOFError):
            while True:
                start = file.tell()
                page = OggPage(file)
                page.serial = 1
                file.seek(start)
                file.write(page.write())
    except OggError as error:
        raise RuntimeError(str(error)) from error


def _without_time(path: Path) -> None:
    """Take out when floats were written, which libsndfile notes beside their peaks: equal audio is equal files."""
    with path.open("r+b") as file:
        header = file.read(128)
        chunk = header.find(b"PEAK")
        if chunk >= 0:
            file.seek(chunk + 12)  # after its name, length and version
            file.write(bytes(4))
