"""Vorbis comments, of FLAC, OGG and Opus, in the form of `Metadata`."""

from __future__ import annotations

import base64
import re
from typing import Any

from mutagen.flac import Picture as Block

from saga_sr.files.metadata import MASK, Metadata, Picture, Point

PICTURE = "METADATA_BLOCK_PICTURE"
CHAPTER = re.compile(r"CHAPTER(\d{3})(NAME)?$")
TIME = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)$")


def from_vorbis(comments: Any, blocks: list[Block], sample_rate: int) -> Metadata:
    """What `comments` (pairs) and FLAC's picture `blocks` tell."""
    texts: dict[str, list[str]] = {}
    times: dict[str, int] = {}
    names: dict[str, str] = {}
    blocks = list(blocks)
    for key, value in comments:
        key = key.upper()
        chapter, time = CHAPTER.match(key), TIME.match(value)
        if key == PICTURE:
            blocks.append(Block(base64.b64decode(value)))
        elif chapter and chapter[2]:
            names[chapter[1]] = value
        elif chapter and time:
            seconds = 3600 * int(time[1]) + 60 * int(time[2]) + float(time[3])
            times[chapter[1]] = round(seconds * sample_rate)
        elif key != MASK:
            texts.setdefault(key, []).append(value)
    pictures = [Picture(block.data, block.mime, int(block.type), block.desc) for block in blocks]
    points = [Point(at, names.get(number, "")) for number, at in sorted(times.items())]
    return Metadata(sample_rate, texts, pictures, points)


def to_comments(metadata: Metadata) -> list[tuple[str, str]]:
    """Comments that tell it, but for pictures."""
    comments = [(_key(name), value) for name, values in metadata.texts.items() for value in values if _key(name)]
    for number, point in enumerate(metadata.points[:1000]):
        thousandths = round(point.at * 1000 / metadata.sample_rate)
        minutes, rest = divmod(thousandths, 60_000)
        clock = f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
        comments += [(f"CHAPTER{number:03}", clock), (f"CHAPTER{number:03}NAME", point.label)]
    return comments


def picture_blocks(metadata: Metadata) -> list[Block]:
    """FLAC's blocks of pictures."""
    blocks = []
    for picture in metadata.pictures:
        block = Block()
        block.data, block.mime, block.type, block.desc = picture.data, picture.mime, picture.kind, picture.text
        blocks.append(block)
    return blocks


def _key(name: str) -> str:
    """`name` with the letters that a comment's name may have."""
    return "".join(letter for letter in name if " " <= letter <= "}" and letter != "=")
