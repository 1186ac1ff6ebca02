"""Compressed headers of QuickTime files, which ffmpeg's libraries unpack in memory whatever they grow to."""

from __future__ import annotations

import os
import re
import struct

# A compressed header and what it tells that it grows to.
COMPRESSED = re.compile(rb"cmov.{4}dcomzlib.{4}cmvd(.{4})", re.DOTALL)
COMPRESSED_BYTES = 28
# Boxes in which no header is looked for.
PASSED_OVER = (b"mdat", b"free", b"skip", b"wide")
NAME = re.compile(rb"[ -~\xa9]{4}")
BLOCK = 1 << 20


def unpacked_bytes(descriptor: int) -> int:
    """How much the compressed headers of an open file grow to, as they tell; 0 where there are none."""
    place, end, largest = 0, os.fstat(descriptor).st_size, 0
    while len(head := os.pread(descriptor, 16, place)) == 16:
        size, name = struct.unpack_from(">I4s", head)
        if not NAME.fullmatch(name):
            break  # no QuickTime or MP4
        if size == 1:
            (size,) = struct.unpack_from(">Q", head, 8)
        behind = min(place + size, end) if size >= 8 else end
        if name not in PASSED_OVER:
            largest = max([largest, *_found(descriptor, place, behind)])
        place = behind
    return largest


def _found(descriptor: int, place: int, end: int) -> list[int]:
    """What the compressed headers between two places of a file tell."""
    sizes = []
    for start in range(place, end, BLOCK):
        content = os.pread(descriptor, min(BLOCK + COMPRESSED_BYTES, end - start), start)
        sizes += [int.from_bytes(told, "big") for told in COMPRESSED.findall(content)]
    return sizes
