"""What the player and downloads ask for by themselves: pieces of recordings and results as they are, and files."""

from __future__ import annotations

import io

import soundfile
from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, Response
from torch import Tensor

from saga_sr.app.service import Service
from saga_sr.app.workspace import Entry
from saga_sr.audio.files import AudioReader
from saga_sr.core.errors import AudioError
from saga_sr.inference.measurement import OUTPUT_RATE
from saga_sr.inference.recordings import Recording

SEGMENT_S = 10.0
PREFIX = "/saga"


def audio_routes(service: Service) -> APIRouter:
    """The routes below `PREFIX`."""
    router = APIRouter(prefix=PREFIX)

    @router.get("/audio/{key}/input/{index}.wav")
    def input_segment(key: str, index: int) -> Response:
        entry = _entry(service, key)
        begin, end = span(index)
        try:
            with AudioReader(entry.file, flawless=False) as reader:
                recording = Recording(reader, OUTPUT_RATE)
                if not 0 <= begin < recording.length:
                    raise HTTPException(404)
                audio = recording.read(begin, min(end, recording.length))
        except AudioError as error:
            raise HTTPException(404) from error
        return wav(audio.where(audio.isfinite(), 0.0))

    @router.get("/audio/{key}/{run}/{index}.wav")
    def result_segment(key: str, run: int, index: int) -> Response:
        entry = _entry(service, key)
        if entry.enhancement is None or run != entry.runs or index < 0:
            raise HTTPException(404)
        audio = entry.enhancement.stretch(*span(index))
        if not audio.shape[1]:
            raise HTTPException(404)
        return wav(audio)

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


def span(index: int) -> tuple[int, int]:
    """The first sample of a piece, and the first of the next."""
    return round(index * SEGMENT_S * OUTPUT_RATE), round((index + 1) * SEGMENT_S * OUTPUT_RATE)


def wav(audio: Tensor) -> Response:
    """`audio` [channel, time] as a WAV file of floats."""
    held = io.BytesIO()
    soundfile.write(held, audio.T.numpy(), OUTPUT_RATE, "FLOAT", format="WAV")
    return Response(held.getvalue(), media_type="audio/wav", headers={"cache-control": "private, max-age=3600"})


def _entry(service: Service, key: str) -> Entry:
    entry = service.workspaces.find(key)
    if entry is None:
        raise HTTPException(404)
    return entry
