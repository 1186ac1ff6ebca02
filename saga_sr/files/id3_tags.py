"""ID3 tags, of MP3, WAV and AIFF, in the form of `Metadata`."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

from mutagen import id3

from saga_sr.files.metadata import Metadata, Picture, Point

TEXTS = {
    **{"TIT1": "GROUPING", "TIT2": "TITLE", "TIT3": "SUBTITLE", "TPE1": "ARTIST", "TPE2": "ALBUMARTIST"},
    **{
        "TPE3": "CONDUCTOR",
        "TPE4": "REMIXER",
        "TALB": "ALBUM",
        "TCOM": "COMPOSER",
        "TEXT": "LYRICIST",
        "TCON": "GENRE",
    },
    **{"TDRC": "DATE", "TDOR": "ORIGINALDATE", "TRCK": "TRACKNUMBER", "TPOS": "DISCNUMBER", "TBPM": "BPM"},
    **{"TSRC": "ISRC", "TCOP": "COPYRIGHT", "TPUB": "ORGANIZATION", "TENC": "ENCODEDBY", "TKEY": "INITIALKEY"},
    **{"TMED": "MEDIA", "TLAN": "LANGUAGE", "TSOP": "ARTISTSORT", "TSOA": "ALBUMSORT", "TSOT": "TITLESORT"},
    **{"TSO2": "ALBUMARTISTSORT", "TSOC": "COMPOSERSORT", "TMOO": "MOOD", "TCMP": "COMPILATION", "TSSE": "ENCODER"},
}
FRAMES = {text: frame for frame, text in TEXTS.items()}
# What is made anew: lengths, and where things lie in the file.
PASSING = ("TLEN", "CTOC", "MLLT", "SEEK", "ASPI", "ETCO")


def from_id3(tag: id3.ID3, sample_rate: int) -> Metadata:
    """What an ID3 tag tells."""
    texts: dict[str, list[str]] = {}
    pictures, points, others = [], [], []
    for frame in tag.values():
        if frame.FrameID in TEXTS:
            texts[TEXTS[frame.FrameID]] = [str(text) for text in frame.text]
        elif frame.FrameID == "TXXX":
            texts.setdefault(frame.desc.upper(), []).extend(frame.text)
        elif frame.FrameID == "COMM":
            name = f"COMMENT:{frame.desc}" if frame.desc else "COMMENT"
            texts.setdefault(name, []).extend(frame.text)
        elif frame.FrameID == "USLT":
            texts.setdefault("LYRICS", []).append(frame.text)
        elif frame.FrameID == "APIC":
            pictures.append(Picture(frame.data, frame.mime, int(frame.type), frame.desc))
        elif frame.FrameID == "CHAP":
            title = frame.sub_frames.get("TIT2")
            points.append(Point(round(frame.start_time * sample_rate / 1000), str(title) if title else ""))
        elif frame.FrameID not in PASSING:
            others.append(frame)
    points.sort(key=lambda point: point.at)
    return Metadata(sample_rate, texts, pictures, points, own={"id3": others})


def to_id3(metadata: Metadata, chapters: bool) -> id3.ID3:
    """The ID3 tag that tells it.

    Args:
        chapters: whether it tells points, which WAV and AIFF have chunks for.
    """
    tag = id3.ID3()
    for name, values in metadata.texts.items():
        for frame in _frames(name, values):
            tag.add(frame)
    for i, picture in enumerate(metadata.pictures):
        text = picture.text or (f"{i + 1}" if i else "")
        tag.add(id3.APIC(encoding=3, mime=picture.mime, type=picture.kind, desc=text, data=picture.data))
    for frame in metadata.own.get("id3", []):
        tag.add(frame)
    if chapters and metadata.points:
        _add_chapters(tag, metadata)
    return tag


def id3_bytes(metadata: Metadata) -> bytes:
    """The ID3 tag as a chunk holds it; empty where there is nothing to tell."""
    tag, file = to_id3(metadata, chapters=False), BytesIO()
    if not tag:
        return b""
    tag.save(file, padding=lambda _: 0)
    return file.getvalue()


def _frames(name: str, values: list[str]) -> list[Any]:
    if name in FRAMES:
        return [getattr(id3, FRAMES[name])(encoding=3, text=values)]
    if name.split(":")[0] == "COMMENT":
        # A description in a language keeps several apart.
        return [id3.COMM(encoding=3, lang="XXX", desc=name.partition(":")[2], text=values)]
    if name == "LYRICS":
        return [id3.USLT(encoding=3, lang="XXX", desc="", text="\n\n".join(values))]
    return [id3.TXXX(encoding=3, desc=name, text=values)]


def _add_chapters(tag: id3.ID3, metadata: Metadata) -> None:
    names = [f"chp{i}" for i in range(len(metadata.points))]
    starts = [round(point.at * 1000 / metadata.sample_rate) for point in metadata.points]
    for name, start, end, point in zip(names, starts, [*starts[1:], starts[-1]], metadata.points, strict=True):
        title = [id3.TIT2(encoding=3, text=[point.label])] if point.label else []
        tag.add(id3.CHAP(element_id=name, start_time=start, end_time=end, sub_frames=title))
    flags = id3.CTOCFlags.TOP_LEVEL | id3.CTOCFlags.ORDERED
    tag.add(id3.CTOC(element_id="toc", flags=flags, child_element_ids=names, sub_frames=[]))


def joined(chunks: Metadata, tag: Metadata) -> Metadata:
    """What chunks and an ID3 tag tell together; where both tell something, the tag is taken, which says it in full."""
    return replace(
        chunks,
        texts={**chunks.texts, **tag.texts},
        pictures=tag.pictures,
        points=chunks.points or tag.points,
        own={**chunks.own, **tag.own},
    )
