"""Files that are not what they should be: random bytes, cut, damaged, and with headers that lie."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable

import numpy as np
import soundfile
from media import KINDS, encoded, music

LENGTH = 30_000
# What headers lie with.
NUMBERS = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x00", b"\x80\x00\x00\x00")


class HostileFiles:
    """File number `i`, always the same, as bytes."""

    def __init__(self) -> None:
        self.sound = {kind: self._made(kind) for kind in KINDS}
        ogg = io.BytesIO()
        soundfile.write(ogg, music(2, LENGTH, 44_100).T, 44_100, format="OGG", subtype="VORBIS")
        self.sound["vorbis"] = ogg.getvalue()
        self.ways: list[Callable[[bytearray, np.random.Generator], bytes]] = [
            _random, _cut, _wrong_bytes, _wrong_header, _lying_header, _random_behind_the_header,
        ]  # fmt: skip

    def _made(self, kind: str) -> bytes:
        rate = 48_000 if kind.startswith("opus") or kind == "webm" else 44_100
        return encoded(music(2, LENGTH, rate), rate, kind, 128_000)

    def __call__(self, i: int) -> bytes:
        """A kind of file and a way to spoil it."""
        generator = np.random.default_rng(i)
        kind = list(self.sound)[i % len(self.sound)]
        way = self.ways[i // len(self.sound) % len(self.ways)]
        return way(bytearray(self.sound[kind]), generator)


def _random(data: bytearray, generator: np.random.Generator) -> bytes:
    return generator.integers(0, 256, int(generator.integers(1, 50_000)), np.uint8).tobytes()


def _cut(data: bytearray, generator: np.random.Generator) -> bytes:
    return bytes(data[: int(generator.integers(1, len(data)))])


def _wrong_bytes(data: bytearray, generator: np.random.Generator) -> bytes:
    for place in generator.integers(0, len(data), int(generator.integers(1, 200))):
        data[place] = int(generator.integers(256))
    return bytes(data)


def _wrong_header(data: bytearray, generator: np.random.Generator) -> bytes:
    for place in generator.integers(0, min(len(data), 300), int(generator.integers(1, 8))):
        data[place] = int(generator.integers(256))
    return bytes(data)


def _lying_header(data: bytearray, generator: np.random.Generator) -> bytes:
    for place in generator.integers(0, min(len(data), 400) - 4, int(generator.integers(1, 3))):
        data[place : place + 4] = NUMBERS[int(generator.integers(len(NUMBERS)))]
    return bytes(data)


def _random_behind_the_header(data: bytearray, generator: np.random.Generator) -> bytes:
    return bytes(data[:200]) + _random(data, generator)


def crafted() -> dict[str, bytes]:
    """Files with a lie that chance would not find, by what it is."""
    samples = bytes(4000)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.wav", bytes(50_000_000))
    sizes = struct.pack(">4sIIII", b"stsz", 0, 0, 0, 0xFFFF_FFFF)
    return {
        "2^31 channels": struct.pack(">4sIIIII", b".snd", 24, 4000, 3, 44_100, 2**31) + samples,
        "65535 channels": _wav(65_535, 44_100) + samples,
        "1 Hz": _wav(1, 1) + samples,
        "2^31 Hz": _wav(1, 2**31) + samples,
        "no channels": _wav(0, 44_100) + samples,
        "a zip bomb": bomb.getvalue(),
        "a billion sizes": struct.pack(">I4s4sI", 16, b"ftyp", b"M4A ", 0) + _boxes(b"moov trak mdia minf stbl", sizes),
        "a FLAC of 2^36 samples": b"fLaC" + struct.pack(">I", 0x8000_0022) + b"\x10\0\x10\0" + bytes(6)
        + b"\x0a\xc4\x42\xff\xff\xff\xff\xff" + bytes(16) + samples,
        "an endless tag": b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + samples,
        "zeros": bytes(1_000_000),
    }  # fmt: skip


def _wav(channels: int, sample_rate: int) -> bytes:
    layout = struct.pack("<HHIIHH", 1, channels, sample_rate, 0, max(2 * channels % 65_536, 1), 16)
    return b"RIFF" + struct.pack("<I", 4036) + b"WAVEfmt " + struct.pack("<I", 16) + layout + b"data\xa0\x0f\0\0"


def _boxes(names: bytes, content: bytes) -> bytes:
    for name in reversed(names.split()):
        content = struct.pack(">I4s", len(content) + 8, name) + content
    return content
