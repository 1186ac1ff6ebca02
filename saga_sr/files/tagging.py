"""The metadata of files: read from any, and put into what is written, by mutagen."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

from mutagen import flac, id3, mp4, oggflac, oggopus, oggspeex, oggtheora, oggvorbis

from saga_sr.files import id3_tags, mp4_tags, vorbis_tags
from saga_sr.files.iff_chunks import aiff_chunks, append_chunks, from_chunks, is_iff, read_chunks, wav_chunks
from saga_sr.files.metadata import Metadata

OGG = (oggvorbis.OggVorbis, oggopus.OggOpus, oggflac.OggFLAC, oggspeex.OggSpeex, oggtheora.OggTheora)
# What M4A begins with, behind a length.
MP4_START = b"ftyp"


def read_metadata(path: Path, sample_rate: int) -> Metadata:
    """What the file at `path` tells, with positions at its `sample_rate`.

    Raises:
        Exception: of many kinds, where it is damaged.
    """
    with path.open("rb") as file:
        start = file.read(64)
    if is_iff(start[:12]):
        return _of_chunks(path, sample_rate)
    if start[4:8] == MP4_START:
        return mp4_tags.from_mp4(mp4.MP4(path).tags or {}, sample_rate)
    if start.startswith(b"OggS"):
        kind = max(OGG, key=lambda kind: kind.score(path.name, None, start))
        return vorbis_tags.from_vorbis(kind(path).tags or [], [], sample_rate)
    if start.startswith(b"fLaC"):
        found = flac.FLAC(path)
        return vorbis_tags.from_vorbis(found.tags or [], found.pictures, sample_rate)
    try:
        return id3_tags.from_id3(id3.ID3(path), sample_rate)
    except id3.ID3NoHeaderError:
        return _of_ffmpeg(path, sample_rate)


def _of_chunks(path: Path, sample_rate: int) -> Metadata:
    chunks = read_chunks(path)
    found = from_chunks(chunks, sample_rate)
    for name in ("id3 ", "ID3 "):
        for content in chunks.get(name, []):
            tag = id3.ID3()
            tag.load(BytesIO(content))
            found = id3_tags.joined(found, id3_tags.from_id3(tag, sample_rate))
    return found


def _of_ffmpeg(path: Path, sample_rate: int) -> Metadata:
    # PyAV takes a while to import.
    from saga_sr.core.errors import AudioError
    from saga_sr.files.ffmpeg_stream import FfmpegStream

    try:
        stream = FfmpegStream(path)
    except AudioError:  # libsndfile has read what ffmpeg cannot
        return Metadata(sample_rate)
    texts = {name.upper(): [text] for name, text in stream.texts.items()}
    stream.close()
    return Metadata(sample_rate, texts)


def write_metadata(path: Path, name: str, metadata: Metadata) -> None:
    """Put `metadata` into the file at `path`, which has none, in the format called `name`.

    Raises:
        OSError: the disk is full or went away.
        Exception: of many kinds, where it cannot be told in this format.
    """
    WRITERS[name](path, metadata)


def _to_wav(path: Path, metadata: Metadata) -> None:
    metadata = metadata.without_texts_for_wav()
    tag = id3_tags.id3_bytes(metadata)
    append_chunks(path, wav_chunks(metadata) + ([(b"id3 ", tag)] if tag else []))


def _to_aiff(path: Path, metadata: Metadata) -> None:
    metadata = metadata.without_texts_for_wav()
    tag = id3_tags.id3_bytes(replace(metadata, loops=[]).with_texts_for_all())
    chunks = aiff_chunks(metadata)
    append_chunks(path, chunks + ([(b"ID3 ", tag)] if tag else []))


def _to_mp3(path: Path, metadata: Metadata) -> None:
    id3_tags.to_id3(metadata.with_texts_for_all(), chapters=True).save(path, v1=0, padding=_none)


def _to_flac(path: Path, metadata: Metadata) -> None:
    file: Any = flac.FLAC(path)
    if file.tags is None:
        file.add_tags()
    file.tags[:] = vorbis_tags.to_comments(metadata.with_texts_for_all())
    for block in vorbis_tags.picture_blocks(metadata):
        file.add_picture(block)
    file.save(padding=_none)


def _to_ogg(path: Path, metadata: Metadata) -> None:
    kind = max(OGG[:2], key=lambda kind: kind.score("", None, path.open("rb").read(64)))
    file: Any = kind(path)
    comments = vorbis_tags.to_comments(metadata.with_texts_for_all())
    blocks = [base64.b64encode(block.write()).decode() for block in vorbis_tags.picture_blocks(metadata)]
    file.tags[:] = comments + [(vorbis_tags.PICTURE, block) for block in blocks]
    file.save(padding=_none)


def _to_m4a(path: Path, metadata: Metadata) -> None:
    file = mp4.MP4(path)
    if file.tags is None:
        file.add_tags()
    assert file.tags is not None
    file.tags.clear()
    file.tags.update(mp4_tags.to_mp4(metadata.with_texts_for_all()))
    file.save(padding=_none)


def _none(_: Any) -> int:
    return 0


WRITERS: dict[str, Callable[[Path, Metadata], None]] = {
    "WAV": _to_wav,
    "AIFF": _to_aiff,
    "MP3": _to_mp3,
    "FLAC": _to_flac,
    "OGG": _to_ogg,
    "Opus": _to_ogg,
    "M4A": _to_m4a,
}
