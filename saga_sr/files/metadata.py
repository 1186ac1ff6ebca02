"""What a file tells of its sound: texts, pictures, a place in time, points and loops. Any format's, in one form."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import Any

# Where the time reference stands in a `bext` chunk (EBU Tech 3285), and its loudness values and what means "not known".
BEXT = struct.Struct("<256s32s32s10s8sQ")
BEXT_TIME, BEXT_LOUDNESS, BEXT_BYTES, NO_LOUDNESS = 338, 412, 602, struct.pack("<5h", *[0x7FFF] * 5)
# How others than WAV call what stands there, as ffmpeg does.
BEXT_TEXTS = ("DESCRIPTION", "ORIGINATOR", "ORIGINATOR_REFERENCE", "ORIGINATION_DATE", "ORIGINATION_TIME")
TIME_REFERENCE = "TIME_REFERENCE"
# How FLAC tells which speakers its channels are for.
MASK = "WAVEFORMATEXTENSIBLE_CHANNEL_MASK"
# Of a sound of another level.
GAINS = ("REPLAYGAIN_", "R128_", "ITUNNORM", "MP3GAIN_")
# How games call a loop, in samples.
LOOP_START, LOOP_LENGTH = "LOOPSTART", "LOOPLENGTH"


@dataclass(frozen=True)
class Picture:
    """A picture, such as a cover; `kind` is its number in ID3, 3 for a front cover."""

    data: bytes
    mime: str
    kind: int = 3
    text: str = ""


@dataclass(frozen=True)
class Point:
    """A marked place, in samples."""

    at: int
    label: str = ""


@dataclass(frozen=True)
class Loop:
    """A stretch to repeat, in samples; `end` is behind it. `kind` and `count` are those of a WAV."""

    start: int
    end: int
    kind: int = 0
    count: int = 0


@dataclass(frozen=True)
class Metadata:
    """What a file tells of its sound.

    Attributes:
        sample_rate: that positions count at, in Hz.
        texts: by the names of Vorbis comments, in capitals: TITLE, ARTIST, ...
        bext: a WAV's `bext` chunk.
        own: what only formats of one family can hold, by family: `id3`, `mp4` and `wav`.
    """

    sample_rate: int
    texts: dict[str, list[str]] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    bext: bytes | None = None
    own: dict[str, list[Any]] = field(default_factory=dict)

    def at_rate(self, sample_rate: int) -> Metadata:
        """The same, with positions in samples of another rate."""

        def scaled(position: int) -> int:
            return (position * sample_rate + self.sample_rate // 2) // self.sample_rate

        found = self.without_texts_for_wav()
        bext = found.bext
        if bext is not None:
            (time,) = struct.unpack_from("<Q", bext, BEXT_TIME)
            bext = bext[:BEXT_TIME] + struct.pack("<Q", scaled(time)) + bext[BEXT_TIME + 8 :]
        return replace(
            found,
            sample_rate=sample_rate,
            points=[replace(point, at=scaled(point.at)) for point in found.points],
            loops=[replace(loop, start=scaled(loop.start), end=scaled(loop.end)) for loop in found.loops],
            bext=bext,
        )

    def at_another_level(self) -> Metadata:
        """The same, without what is said of the level."""
        texts = {name: values for name, values in self.texts.items() if not name.startswith(GAINS)}
        own = {**self.own, "id3": [frame for frame in self.own.get("id3", []) if frame.FrameID != "RVA2"]}
        bext = self.bext
        if bext is not None and bext[346:348] >= b"\x02\x00":
            bext = bext[:BEXT_LOUDNESS] + NO_LOUDNESS + bext[BEXT_LOUDNESS + 10 :]
        return replace(self, texts=texts, bext=bext, own=own)

    def made_by(self, maker: str) -> Metadata:
        """The same, of a file that `maker` has made."""
        return replace(self, texts={**self.texts, "ENCODER": [maker]})

    def with_mask(self, mask: int) -> Metadata:
        """The same, of a FLAC file whose channels are for the speakers of `mask`."""
        return replace(self, texts={**self.texts, MASK: [f"0x{mask:X}"]})

    def with_texts_for_all(self) -> Metadata:
        """The same, with texts for what only WAV has a chunk for."""
        texts = dict(self.texts)
        if self.bext is not None:
            *values, time = BEXT.unpack_from(self.bext)
            for name, value in zip(BEXT_TEXTS, values, strict=True):
                text = value.split(b"\0")[0].decode("utf-8", "replace").strip()
                if text:
                    texts.setdefault(name, [text])
            texts[TIME_REFERENCE] = [str(time)]
        if self.loops:
            texts[LOOP_START] = [str(self.loops[0].start)]
            texts[LOOP_LENGTH] = [str(self.loops[0].end - self.loops[0].start)]
        return replace(self, texts=texts, bext=None, loops=[])

    def without_texts_for_wav(self) -> Metadata:
        """The opposite."""
        texts, bext, loops = dict(self.texts), self.bext, self.loops
        time, start, length = (_number(texts.pop(name, None)) for name in (TIME_REFERENCE, LOOP_START, LOOP_LENGTH))
        if bext is None and time is not None:
            values = [texts.pop(name, [""])[0].encode() for name in BEXT_TEXTS]
            bext = BEXT.pack(*values, time).ljust(BEXT_BYTES, b"\0")
        if not loops and start is not None and length:
            loops = [Loop(start, start + length)]
        return replace(self, texts=texts, bext=bext, loops=loops)


def _number(values: list[str] | None) -> int | None:
    """What a text says, if it is a whole number that fits."""
    return int(values[0]) if values and values[0].isascii() and values[0].isdigit() and len(values[0]) < 19 else None
