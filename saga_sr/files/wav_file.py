"""WAV files written block by block, of any length, with the places of their channels.

libsndfile writes WAV too, but neither a channel mask, nor other chunks, nor RF64 only where it is needed.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from saga_sr.files.output_formats import Depth

# Sizes up to here fit a RIFF header; above, the file becomes RF64 (EBU Tech 3306).
LARGEST_RIFF = 2**32 - 1
# What stands for a size that a `ds64` chunk tells.
ELSEWHERE = 2**32 - 1
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
# What follows the format's number in the name of an extensible format.
GUID_END = bytes.fromhex("0000 0000 1000 8000 00aa 0038 9b71")
# Left and right, and a channel alone, are what a plain header means.
PLAIN_MASKS = {1: 0x4, 2: 0x3}
DS64 = struct.Struct("<QQQI")


class WavFile:
    """A WAV file being written to `path`.

    Args:
        depth: 16, 24 or `float`.
        mask: which speakers the channels are for, a bit each as in WAVEFORMATEXTENSIBLE; 0 for none in particular.
    """

    def __init__(self, path: Path, sample_rate: int, channels: int, depth: Depth, mask: int) -> None:
        self._file = path.open("w+b")
        self._depth = depth
        self._width = channels * (4 if depth == "float" else int(depth) // 8)
        self._data_bytes = 0
        # Room for the sizes of RF64, where they would stand.
        junk = _chunk(b"JUNK", bytes(DS64.size))
        fmt = _chunk(b"fmt ", self._format(sample_rate, channels, mask))
        # Formats that are not integers tell their length apart.
        fact = _chunk(b"fact", bytes(4)) if depth == "float" else b""
        self._fact_at = 12 + len(junk) + len(fmt) + 8 if fact else None
        header = b"RIFF" + bytes(4) + b"WAVE" + junk + fmt + fact + b"data" + bytes(4)
        self._data_at = len(header)
        self._file.write(header)

    def _format(self, sample_rate: int, channels: int, mask: int) -> bytes:
        kind, bits = (FLOAT, 32) if self._depth == "float" else (PCM, int(self._depth))
        extensible = mask != PLAIN_MASKS.get(channels)
        name, bytes_per_s = EXTENSIBLE if extensible else kind, sample_rate * self._width
        basic = struct.pack("<HHIIHH", name, channels, sample_rate, bytes_per_s, self._width, bits)
        if extensible:
            return basic + struct.pack("<HHIH", 22, bits, mask, kind) + GUID_END
        return basic if kind == PCM else basic + bytes(2)

    def write(self, samples: np.ndarray) -> None:
        """Append `samples` [time, channels]: int16, int32 of which the upper 24 bits count, or float32.

        Raises:
            OSError: the disk is full or went away.
        """
        if self._depth == 24:
            data = samples.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
        else:
            data = samples.astype("<f4" if self._depth == "float" else "<i2").tobytes()
        self._file.write(data)
        self._data_bytes += len(data)

    def close(self) -> None:
        """Write what is known only at the end.

        Raises:
            OSError: the disk is full or went away.
        """
        with self._file:
            self._finish()

    def _finish(self) -> None:
        self._file.write(bytes(self._data_bytes % 2))
        riff_bytes = self._file.tell() - 8
        frames = self._data_bytes // self._width
        large = riff_bytes > LARGEST_RIFF
        self._file.seek(0)
        self._file.write(struct.pack("<4sI", b"RF64" if large else b"RIFF", ELSEWHERE if large else riff_bytes))
        if large:
            self._file.seek(12)
            self._file.write(_chunk(b"ds64", DS64.pack(riff_bytes, self._data_bytes, frames, 0)))
        if self._fact_at is not None:
            self._file.seek(self._fact_at)
            self._file.write(struct.pack("<I", min(frames, ELSEWHERE)))
        self._file.seek(self._data_at - 4)
        self._file.write(struct.pack("<I", ELSEWHERE if large else self._data_bytes))


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content
