"""What the player and downloads ask for by themselves: pieces of recordings and results as they are, and files."""

from __future__ import annotations

import io
from collections.abc import Callable

import soundfile
from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, Response
from torch import Tensor

from saga_sr.app.enhancement import Enhancement
from saga_sr.app.service import Service
from saga_sr.app.spectrum_tiles import LEVELS, MOST_COLUMNS, columns
from saga_sr.app.workspace import Entry
from saga_sr.core.errors import AudioError
from saga_sr.inference.measurement import OUTPUT_RATE
from saga_sr.inference.recordings import Recording

SEGMENT_S = 10.0
PREFIX = "/saga"
KEPT = {"cache-control": "private, max-age=3600"}


def audio_routes(service: Service) -> APIRouter:
    """The routes below `PREFIX`."""
    router = APIRouter(prefix=PREFIX)

    @router.get("/audio/{key}/input/{index}.wav")
    def input_segment(key: str, index: int) -> Response:
        entry = _entry(service, key)
        begin, end = span(index)
        try:
            with service.open_recordings.reading(entry, "sound") as reader:
                recording = Recording(reader, OUTPUT_RATE)
                if not 0 <= begin < recording.length:
                    raise HTTPException(404)
                audio = recording.read(begin, min(end, recording.length))
        except AudioError as error:
            raise HTTPException(404) from error
        return wav(audio.where(audio.isfinite(), 0.0))

    @router.get("/audio/{key}/{run}/{index}.wav")
    def result_segment(key: str, run: int, index: int) -> Response:
        audio = _result(service, key, run).stretch(*span(index))
        if index < 0 or not audio.shape[1]:
            raise HTTPException(404)
        return wav(audio)

    @router.get("/columns/{key}/input/{channel}/{level}/{first}-{end}")
    def input_columns(key: str, channel: str, level: int, first: int, end: int) -> Response:
        entry = _entry(service, key)
        try:
            with service.open_recordings.reading(entry, "columns") as reader:
                info, chosen = reader.info, _channels(channel)

                def read(start: int, frames: int) -> Tensor:
                    return reader.read(start, frames)[chosen]

                return _columns(read, info.sample_rate, info.frames, level, first, end)
        except AudioError as error:
            raise HTTPException(404) from error

    @router.get("/columns/{key}/{run}/{channel}/{level}/{first}-{end}")
    def result_columns(key: str, run: int, channel: str, level: int, first: int, end: int) -> Response:
        made, chosen = _result(service, key, run), _channels(channel)

        def read(start: int, frames: int) -> Tensor:
            return made.stretch(start, start + frames)[chosen]

        return _columns(read, OUTPUT_RATE, round(made.total_s * OUTPUT_RATE), level, first, end)

    @router.get("/download/{token}")
    def download(token: str) -> FileResponse:
        path = service.downloads.find(token)
        if path is None:
            raise HTTPException(404)
        return FileResponse(path, filename=path.name, headers={"cache-control": "no-store"})

    return router


def input_url(entry: Entry) -> str:
    """Where the pieces of a recording are."""
    return f"{PREFIX}/audio/{entry.key}/input/{{index}}.wav"


def result_url(entry: Entry) -> str:
    """Where the pieces of its newest result are."""
    return f"{PREFIX}/audio/{entry.key}/{entry.runs}/{{index}}.wav"


def columns_url(url: str) -> str:
    """Where the columns of spectrograms are of what has its pieces at `url`."""
    return url.replace("/audio/", "/columns/").replace("{index}.wav", "{channel}/{level}/{first}-{end}")


def span(index: int) -> tuple[int, int]:
    """The first sample of a piece, and the first of the next."""
    return round(index * SEGMENT_S * OUTPUT_RATE), round((index + 1) * SEGMENT_S * OUTPUT_RATE)


def wav(audio: Tensor) -> Response:
    """`audio` [channel, time] as a WAV file of floats."""
    held = io.BytesIO()
    soundfile.write(held, audio.T.numpy(), OUTPUT_RATE, "FLOAT", format="WAV")
    return Response(held.getvalue(), media_type="audio/wav", headers=KEPT)


def _columns(
    read: Callable[[int, int], Tensor], rate: int, length: int, level: int, first: int, end: int
) -> Response:  # fmt: skip
    if level not in LEVELS or not 0 <= first < end <= first + MOST_COLUMNS:
        raise HTTPException(404)
    try:
        made = columns(read, rate, length, level, first, end)
    except IndexError as error:
        raise HTTPException(404) from error  # there is no such channel
    return Response(made, media_type="application/octet-stream", headers=KEPT)


def _channels(channel: str) -> slice | list[int]:
    if channel != "all" and not channel.isdecimal():
        raise HTTPException(404)
    return slice(None) if channel == "all" else [int(channel)]


def _result(service: Service, key: str, run: int) -> Enhancement:
    entry = _entry(service, key)
    if entry.enhancement is None or run != entry.runs or not entry.enhancement.channels:
        raise HTTPException(404)
    return entry.enhancement


def _entry(service: Service, key: str) -> Entry:
    entry = service.workspaces.find(key)
    if entry is None:
        raise HTTPException(404)
    return entry
