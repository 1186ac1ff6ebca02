"""Ogg Vorbis with all of its sound on one page, of which ffmpeg's demuxer loses the end.

Where such a stream begins cannot be told from the page's position, which is that of its end, and ffmpeg counts the
first block, which gives no samples, as if it did.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

# Of a page (RFC 3533): its mark, version, flags, position, stream, number, checksum, and the count of its segments.
PAGE = struct.Struct("<4sBBqIIIB")
MARK, LAST = b"OggS", 4
VORBIS = b"\x01vorbis"
# Pages before the sound: covers may take many.
MOST_PAGES = 1000


def is_short_vorbis(file: BinaryIO) -> bool:
    """Whether `file`, from its beginning on, is one stream of Vorbis whose first page of sound is its last."""
    for number in range(MOST_PAGES):
        header = file.read(PAGE.size)
        if len(header) < PAGE.size or not header.startswith(MARK):
            return False
        _, _, flags, position, *_, segments = PAGE.unpack(header)
        sizes = file.read(segments)
        if len(sizes) < segments or (number == 0 and not file.read(len(VORBIS)).startswith(VORBIS)):
            return False
        end = file.seek(sum(sizes) - (len(VORBIS) if number == 0 else 0), 1)
        if position:
            return position > 0 and bool(flags & LAST) and end == file.seek(0, 2)
    return False
