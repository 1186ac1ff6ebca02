"""What the player asks for of training runs: the clips of their newest validation."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

from saga_sr.app.audio_routes import PREFIX
from saga_sr.app.run_list import Run
from saga_sr.app.training_runs import TrainingRuns, key_of
from saga_sr.core.errors import SagaError
from saga_sr.files.reading import inspect_audio
from saga_sr.inference.measurement import channel_names


def run_routes(runs: TrainingRuns) -> APIRouter:
    """The routes below `PREFIX`."""
    router = APIRouter(prefix=PREFIX)

    @router.get("/run/{key}/{number}/{name}.flac")
    def clip(key: str, number: int, name: str) -> FileResponse:
        try:
            path = runs.clip(key, number, name)
        except SagaError as error:
            raise HTTPException(404) from error
        return FileResponse(path, media_type="audio/flac", headers={"cache-control": "no-store"})

    return router


def clip_value(runs: TrainingRuns, run: Run, number: int, against: str, language: str) -> dict[str, Any] | None:
    """What the player is given of a clip: the model's output against its `input` or the `reference`; None for none."""
    key = key_of(run.folder)
    try:
        result = runs.clip(key, number, "output")
        runs.clip(key, number, against)
        info = inspect_audio(result)
    except SagaError:
        return None
    duration_s, made = info.duration_s, result.stat().st_mtime_ns

    def source(name: str) -> dict[str, Any]:
        return {"url": f"{PREFIX}/run/{key}/{number}/{name}.flac?{made}", "ready_s": duration_s}

    full = [{"begin_s": 0.0, "end_s": duration_s, "hz": info.sample_rate / 2}]
    return {
        "id": f"{key}-{number}-{against}-{made}", "name": f"{run.folder.name} {number}", "language": language,
        "sample_rate": info.sample_rate, "duration_s": duration_s, "channels": channel_names(info.channels),
        "input": source(against), "result": source("output"), "edges": [full] * info.channels,
    }  # fmt: skip
