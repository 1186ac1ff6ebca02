"""What the page Compare asks for by itself: what is heard in blind tests, and reports."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, Response

from saga_sr.app.audio_routes import PREFIX, SEGMENT_S, span, wav
from saga_sr.app.blind_tests import BlindTests, Listening
from saga_sr.app.guard import REPORTS
from saga_sr.app.reports import Reports
from saga_sr.core.errors import SagaError


def compare_routes(tests: BlindTests, reports: Reports) -> APIRouter:
    """The routes below `PREFIX`."""
    router = APIRouter()

    @router.get(f"{PREFIX}/blind/{{key}}/{{heard}}/{{index}}.wav")
    def heard_in_a_test(key: str, heard: str, index: int) -> Response:
        listening = tests.find(key)
        audio = listening.stretch(heard, *span(index)) if listening and index >= 0 else None
        if audio is None or not audio.shape[1]:
            raise HTTPException(404)
        return wav(audio)

    @router.get(f"{REPORTS}{{key}}")
    def report(key: str) -> FileResponse:
        try:
            path = reports.find(key).path
        except SagaError as error:
            raise HTTPException(404) from error
        return FileResponse(path, media_type="text/html", headers={"cache-control": "no-store"})

    return router


def sources_of(listening: Listening) -> dict[str, dict[str, object]]:
    """Where A, X and B are; X of each trial elsewhere, and each of them alike."""
    names = {"a": "a", "x": f"x{listening.test.trial}", "b": "b"}
    return {
        name: {"url": f"{PREFIX}/blind/{listening.key}/{heard}/{{index}}.wav", "segment_s": SEGMENT_S}
        for name, heard in names.items()
    }
