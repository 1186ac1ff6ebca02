"""The chunks of WAV (RIFF, RF64) and AIFF files beside their samples: read, and put at the end."""

from __future__ import annotations

import struct
from pathlib import Path

from saga_sr.files.metadata import Loop, Metadata, Point

# Chunks that hold more are not about the sound's description.
LARGEST_CHUNK = 1 << 26
INFO = {
    **{"INAM": "TITLE", "IART": "ARTIST", "IPRD": "ALBUM", "ICMT": "COMMENT", "ICRD": "DATE", "IGNR": "GENRE"},
    **{"ITRK": "TRACKNUMBER", "ICOP": "COPYRIGHT", "ISFT": "ENCODER", "IKEY": "KEYWORDS", "IENG": "ENGINEER"},
}
AIFF_TEXTS = {"NAME": "TITLE", "AUTH": "ARTIST", "(c) ": "COPYRIGHT", "ANNO": "COMMENT"}
# Chunks that no other format has, copied as they are.
OWN = ("iXML", "axml")
SMPL_HEADER = struct.Struct("<9I")


def read_chunks(path: Path) -> dict[str, list[bytes]]:
    """The chunks of a WAV or AIFF file by their names, but for those of samples; none of another file."""
    found: dict[str, list[bytes]] = {}
    with path.open("rb") as file:
        kind = file.read(12)
        if not is_iff(kind):
            return found
        size_of = struct.Struct(">I" if kind[:4] == b"FORM" else "<I")
        while len(head := file.read(8)) == 8:
            name, size = head[:4], size_of.unpack(head[4:])[0]
            start = file.tell()
            if name == b"data" and size == 2**32 - 1 and "ds64" in found:
                size = struct.unpack_from("<Q", found["ds64"][0], 8)[0]
            elif name not in (b"data", b"SSND") and size <= LARGEST_CHUNK:
                found.setdefault(name.decode("latin-1"), []).append(file.read(size))
            file.seek(start + size + size % 2)
    return found


def is_iff(start: bytes) -> bool:
    """Whether a WAV or AIFF file begins with these twelve bytes."""
    kinds = {b"RIFF": (b"WAVE",), b"RF64": (b"WAVE",), b"FORM": (b"AIFF", b"AIFC")}
    return start[8:12] in kinds.get(start[:4], ())


def append_chunks(path: Path, chunks: list[tuple[bytes, bytes]]) -> None:
    """Put chunks at the end of a WAV or AIFF file, and correct its size.

    Raises:
        OSError: the disk is full or went away.
    """
    with path.open("r+b") as file:
        kind = file.read(4)
        size_of = struct.Struct(">I" if kind == b"FORM" else "<I")
        file.seek(0, 2)
        file.write(bytes(file.tell() % 2))
        for name, content in chunks:
            file.write(name + size_of.pack(len(content)) + content + bytes(len(content) % 2))
        size = file.tell() - 8
        file.seek(20 if kind == b"RF64" else 4)
        file.write(struct.pack("<Q", size) if kind == b"RF64" else size_of.pack(size))


def from_chunks(chunks: dict[str, list[bytes]], sample_rate: int) -> Metadata:
    """What the chunks of a WAV or AIFF file tell, but for ID3."""
    texts: dict[str, list[str]] = {}
    for name, key in AIFF_TEXTS.items():
        if name in chunks:
            texts[key] = [_text(content) for content in chunks[name]]
    labels: dict[int, str] = {}
    for content in chunks.get("LIST", []):
        for name, part in _parts(content[4:]):
            if content[:4] == b"INFO" and _text(part):
                texts.setdefault(INFO.get(name, name), []).append(_text(part))
            elif content[:4] == b"adtl" and name == "labl" and len(part) >= 4:
                labels[struct.unpack_from("<I", part)[0]] = _text(part[4:])
    points, loops = _markers(chunks)
    for content in chunks.get("cue ", []):
        cues = struct.iter_unpack("<II4sIII", content[4 : 4 + (len(content) - 4) // 24 * 24])
        points += [Point(offset, labels.get(number, "")) for number, _, _, _, _, offset in cues]
    for content in chunks.get("smpl", []):
        entries = struct.iter_unpack("<6I", content[36 : 36 + (len(content) - 36) // 24 * 24])
        loops += [Loop(start, end + 1, kind, count) for _, kind, start, end, _, count in entries]
    bext = next((content for content in chunks.get("bext", []) if len(content) >= 602), None)
    own = {"wav": [(name.encode(), content) for name in OWN for content in chunks.get(name, [])]}
    return Metadata(sample_rate, texts, [], points, loops, bext, own)


def wav_chunks(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    """What stands in a WAV file, but for ID3."""
    chunks = [] if metadata.bext is None else [(b"bext", metadata.bext)]
    info = b""
    for name, key in INFO.items():
        text = "; ".join(metadata.texts.get(key, [])).encode()
        if text:
            text += bytes(1)
            info += name.encode() + struct.pack("<I", len(text)) + text + bytes(len(text) % 2)
    if info:
        chunks.append((b"LIST", b"INFO" + info))
    if metadata.points:
        cues, labels = b"", b""
        for number, point in enumerate(metadata.points, 1):
            cues += struct.pack("<II4sIII", number, point.at, b"data", 0, 0, point.at)
            text = struct.pack("<I", number) + point.label.encode() + bytes(1)
            labels += b"labl" + struct.pack("<I", len(text)) + text + bytes(len(text) % 2)
        chunks += [(b"cue ", struct.pack("<I", len(metadata.points)) + cues), (b"LIST", b"adtl" + labels)]
    if metadata.loops:
        header = SMPL_HEADER.pack(0, 0, 10**9 // metadata.sample_rate, 60, 0, 0, 0, len(metadata.loops), 0)
        entries = [
            struct.pack("<6I", number, loop.kind, loop.start, loop.end - 1, 0, loop.count)
            for number, loop in enumerate(metadata.loops)
        ]
        chunks.append((b"smpl", header + b"".join(entries)))
    return chunks + metadata.own.get("wav", [])


def aiff_chunks(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    """What stands in an AIFF file, but for ID3: points, and up to two loops between points."""
    loops = metadata.loops[:2]
    places = [*metadata.points, *(Point(at, name) for loop in loops for at, name in
              ((loop.start, "beg loop"), (loop.end, "end loop")))]  # fmt: skip
    if not places:
        return []
    marks = struct.pack(">H", len(places))
    for number, point in enumerate(places, 1):
        label = point.label.encode()[:255]
        marks += struct.pack(">hIB", number, point.at, len(label)) + label + bytes((len(label) + 1) % 2)
    chunks = [(b"MARK", marks)]
    if loops:
        first = len(metadata.points) + 1
        ends = [(1 + (loop.kind == 1), first + 2 * i, first + 2 * i + 1) for i, loop in enumerate(loops)]
        ends += [(0, 0, 0)] * (2 - len(loops))
        chunks.append((b"INST", struct.pack(">6bh", 60, 0, 0, 127, 1, 127, 0) + b"".join(
            struct.pack(">3h", *end) for end in ends)))  # fmt: skip
    return chunks


def _markers(chunks: dict[str, list[bytes]]) -> tuple[list[Point], list[Loop]]:
    """Points and loops of an AIFF file."""
    marks: dict[int, Point] = {}
    for content in chunks.get("MARK", []):
        place = 2
        while place + 7 <= len(content):
            number, at, length = struct.unpack_from(">hIB", content, place)
            marks[number] = Point(at, content[place + 7 : place + 7 + length].decode("utf-8", "replace"))
            place += 7 + length + (length + 1) % 2
    loops = []
    for content in chunks.get("INST", []):
        for mode, begin, end in struct.iter_unpack(">3h", content[8:20]) if len(content) >= 20 else ():
            if mode and begin in marks and end in marks:
                loops.append(Loop(marks.pop(begin).at, marks.pop(end).at, int(mode == 2)))
    return list(marks.values()), loops


def _parts(content: bytes) -> list[tuple[str, bytes]]:
    parts, place = [], 0
    while place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        parts.append((name.decode("latin-1"), content[place + 8 : place + 8 + size]))
        place += 8 + size + size % 2
    return parts


def _text(content: bytes) -> str:
    content = content.split(b"\0")[0]
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        return content.decode("latin-1").strip()
