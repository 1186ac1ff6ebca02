"""Files that are not what they should be: random bytes, cut, damaged, and with headers that lie."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from itertools import count
from typing import NamedTuple

import av
import numpy as np
import soundfile
from media import KINDS, encoded, music

from saga_sr.files.finding import SUFFIXES

LENGTH = 30_000
# What headers lie with.
NUMBERS = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x00", b"\x80\x00\x00\x00")
# How chunks, boxes and blocks are called.
NAME = re.compile(rb"[A-Za-z0-9 ]{4}")
# Boxes of MP4 that begin with how many entries they have, behind a version.
INDEXES = (b"stsz", b"stco", b"stts", b"stsc", b"elst", b"stss", b"ctts", b"dref")


class Hostile(NamedTuple):
    """A file: what it is called, in what way it is wrong, and what it holds."""

    name: str
    way: str
    data: bytes


def hostile_files() -> Iterator[Hostile]:
    """As many as are wanted, always the same: crafted ones, zip bombs under each suffix, and generated ones."""
    suffixes = iter(count())
    for way, data in (crafted() | lying()).items():
        yield Hostile(f"a{SUFFIXES[next(suffixes) % len(SUFFIXES)]}", f"crafted: {way}", data)
    bomb = zip_bomb()
    yield from (Hostile(f"a{suffix}", "zip bomb", bomb) for suffix in SUFFIXES)
    generated = HostileFiles()
    for i in count():
        yield Hostile(f"a{SUFFIXES[i % len(SUFFIXES)]}", generated.way(i).__name__[1:].replace("_", " "), generated(i))


class HostileFiles:
    """File number `i`, always the same, as bytes."""

    def __init__(self) -> None:
        self.sound = {kind: self._made(kind) for kind in KINDS}
        ogg = io.BytesIO()
        soundfile.write(ogg, music(2, LENGTH, 44_100).T, 44_100, format="OGG", subtype="VORBIS")
        self.sound["vorbis"] = ogg.getvalue()
        self.ways: list[Callable[[bytearray, np.random.Generator], bytes]] = [
            _random, _cut, _wrong_bytes, _wrong_header, _lying_header, _random_behind_the_header,
            _cut_at_a_chunk, _lying_chunk,
        ]  # fmt: skip

    def _made(self, kind: str) -> bytes:
        rate = 48_000 if kind.startswith("opus") or kind == "webm" else 44_100
        return encoded(music(2, LENGTH, rate), rate, kind, 128_000)

    def __call__(self, i: int) -> bytes:
        """A kind of file and a way to spoil it."""
        kind = list(self.sound)[i % len(self.sound)]
        return self.way(i)(bytearray(self.sound[kind]), np.random.default_rng(i))

    def way(self, i: int) -> Callable[[bytearray, np.random.Generator], bytes]:
        """How file number `i` is spoilt."""
        return self.ways[i // len(self.sound) % len(self.ways)]


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


def _cut_at_a_chunk(data: bytearray, generator: np.random.Generator) -> bytes:
    places = [match.start() for match in NAME.finditer(data)]
    return bytes(data[: max(int(generator.choice(places)) + 4 * int(generator.integers(-1, 4)), 1)])


def _lying_chunk(data: bytearray, generator: np.random.Generator) -> bytes:
    places = [match.start() for match in NAME.finditer(data) if 4 <= match.start() <= len(data) - 16]
    for place in generator.choice(places, int(generator.integers(1, 3))):
        place += (-4, 4, 8, 12)[int(generator.integers(4))]
        data[place : place + 4] = NUMBERS[int(generator.integers(len(NUMBERS)))]
    return bytes(data)


def zip_bomb() -> bytes:
    """An archive that is a thousandth of what it holds."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.wav", bytes(50_000_000))
    return file.getvalue()


def crafted() -> dict[str, bytes]:
    """Files with a lie that chance would not find, by what it is."""
    samples = bytes(4000)
    sizes = struct.pack(">4sIIII", b"stsz", 0, 0, 0, 0xFFFF_FFFF)
    return {
        "2^31 channels": struct.pack(">4sIIIII", b".snd", 24, 4000, 3, 44_100, 2**31) + samples,
        "65535 channels": _wav(65_535, 44_100) + samples,
        "1 Hz": _wav(1, 1) + samples,
        "2^31 Hz": _wav(1, 2**31) + samples,
        "no channels": _wav(0, 44_100) + samples,
        "a zip bomb": zip_bomb(),
        "a billion sizes": struct.pack(">I4s4sI", 16, b"ftyp", b"M4A ", 0) + _boxes(b"moov trak mdia minf stbl", sizes),
        "a FLAC of 2^36 samples": b"fLaC" + struct.pack(">I", 0x8000_0022) + b"\x10\0\x10\0" + bytes(6)
        + b"\x0a\xc4\x42\xff\xff\xff\xff\xff" + bytes(16) + samples,
        "an endless tag": b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + samples,
        "zeros": bytes(1_000_000),
    }  # fmt: skip


def lying() -> dict[str, bytes]:
    """Files with sound in them and a lie that chance would not find; what is right of them may be sound, too."""
    sound = music(2, LENGTH, 44_100)
    m4a, wav, flac = (encoded(sound, 44_100, kind, 128_000) for kind in ("m4a", "wav", "flac"))
    many = struct.pack("<I", 0xFFFF_FFFF)
    data = wav.index(b"data")
    rf64 = b"RF64" + many + b"WAVEds64" + struct.pack("<IQQQI", 28, 2**63, 2**63, 2**61, 0) + wav[12:data]
    found = {f"{name.decode()} of 2^32 entries": _changed(m4a, name, 8, many) for name in INDEXES if name in m4a}
    found |= {
        "samples that last for months": _changed(m4a, b"stts", 16, struct.pack(">I", 0x7FFF_FFFF)),
        "a list of edits with a year in it": _changed(m4a, b"elst", 12, struct.pack(">I", 0x7FFF_FFFF)),
        "moov of 2^31 bytes": _changed(m4a, b"moov", -4, struct.pack(">I", 2**31)),
        "boxes in boxes": _boxes(b"moov " * 20_000, b""),
        "a WAV of 2^63 bytes": rf64 + b"data" + many + wav[data + 8 :],
        "2^32 cue points": wav + b"cue " + many + many + bytes(100),
        "a text of 2 GB": _changed(
            _changed(wav, b"LIST", 4, struct.pack("<I", 2**31 - 9)), b"ISFT", 4, struct.pack("<I", 2**31 - 99)
        ),
        "a list of 4 GB": wav + b"LIST" + many + b"INFO",
        "an ID3 tag of 256 MB in a WAV": wav + b"id3 \x0e\0\0\0ID3\x04\0\0\x7f\x7f\x7f\x7fTI",
        "a chunk of nothing, 100,000 times": wav + b"LIST\0\0\0\0" * 100_000,
        "a FLAC table of 2^20 places": flac[:42] + b"\x03\xff\xff\xff" + flac[42:],
        "2^32 comments": flac[:42] + b"\x84\0\0\x0c" + bytes(4) + many * 2 + flac[42:],
        "a picture of 4 GB": flac[:42] + b"\x86\0\0\x20" + b"\xff" * 32 + flac[42:],
        "a compressed SWF that is a bomb": b"CWS\x0a" + many + _zeros_deflated(100),
        "a compressed MP4 header that is a bomb": _boxes(
            b"moov cmov",
            _boxes(b"dcom", b"zlib") + _boxes(b"cmvd", struct.pack(">I", 2140 * 10**6) + _zeros_deflated(2140)),
        ),
        "a minute's gap before each packet": _with_gaps(59.0, "matroska"),
        "a minute's gap before each page": _with_gaps(59.0, "ogg"),
        "a year between packets": _with_gaps(3e7, "matroska"),
    }
    return found


def _zeros_deflated(length: int) -> bytes:
    """What becomes so many million zeros, of which each million is packed alike."""
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    million = deflate.compress(bytes(10**6)) + deflate.flush(zlib.Z_FULL_FLUSH)
    check = (length * 10**6 % 65_521 << 16 | 1).to_bytes(4, "big")
    return b"\x78\x9c" + length * million + b"\x03\0" + check


def _changed(data: bytes, name: bytes, behind: int, content: bytes) -> bytes:
    """`data` with other bytes `behind` the beginning of a chunk's name."""
    place = data.index(name) + behind
    return data[:place] + content + data[place + len(content) :]


def _with_gaps(gap_s: float, container: str) -> bytes:
    """Opus whose packets stand `gap_s` apart."""
    source, file = io.BytesIO(encoded(music(2, 48_000, 48_000), 48_000, "opus", 64_000)), io.BytesIO()
    with av.open(source) as reader, av.open(file, "w", format=container) as writer:
        sound = reader.streams.audio[0]
        copy = writer.add_stream_from_template(sound)
        for i, packet in enumerate(packet for packet in reader.demux(sound) if packet.size):
            packet.pts = packet.dts = int((packet.pts or 0) + i * gap_s / packet.time_base)
            packet.stream = copy
            writer.mux(packet)
    return file.getvalue()


def _wav(channels: int, sample_rate: int) -> bytes:
    layout = struct.pack("<HHIIHH", 1, channels, sample_rate, 0, max(2 * channels % 65_536, 1), 16)
    return b"RIFF" + struct.pack("<I", 4036) + b"WAVEfmt " + struct.pack("<I", 16) + layout + b"data\xa0\x0f\0\0"


def _boxes(names: bytes, content: bytes) -> bytes:
    for name in reversed(names.split()):
        content = struct.pack(">I4s", len(content) + 8, name) + content
    return content
