"""What programs can ask the app for, each an endpoint of its own: all that the page Enhance can do.

from gradio_client import Client, handle_file

app = Client("http://127.0.0.1:7860/")
(recording,) = app.predict([handle_file("old.mp3")], api_name="/add")
app.predict([recording["id"]], "saga-sr-mini", "fast", {"seed": 1}, api_name="/enhance")
path = app.predict(recording["id"], "flac", api_name="/save")
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from saga_sr.app.asking import as_gradio_errors, asked_by
from saga_sr.app.saving import SAME, written_as
from saga_sr.app.service import Service
from saga_sr.app.settings_form import command_line
from saga_sr.app.workspace import Entry
from saga_sr.core.errors import UsageError
from saga_sr.inference.settings import EnhanceSettings, presets

DEFAULT = "default"


def enhance_endpoints(service: Service) -> None:
    """Make the endpoints, in the Gradio container that this is called in."""
    api = _Endpoints(service)
    for name in ("add", "add_from", "recordings", "remove", "correct", "models", "presets", "estimate", "cancel",
                 "save", "save_all", "save_into", "command"):  # fmt: skip
        gr.api(as_gradio_errors(getattr(api, name)), api_name=name, concurrency_limit=4)
    gr.api(as_gradio_errors(api.enhance), api_name="enhance", concurrency_limit=None)


class _Endpoints:
    """What each endpoint does; settings are `EnhanceSettings` by short names, `format` is also `same`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def add(self, files: list[dict[str, Any]], request: gr.Request) -> list[dict[str, Any]]:
        """Add and measure uploaded recordings."""
        asked, added = asked_by(request), []
        for file in files:
            added.append(described(self._service.add_upload(asked, *uploaded(file))))
        return added

    def add_from(self, path: str, request: gr.Request) -> list[dict[str, Any]]:
        """Add and measure the recordings at a path of the app's machine."""
        return [described(entry) for entry in self._service.add_from(asked_by(request), path)]

    def recordings(self, request: gr.Request) -> list[dict[str, Any]]:
        """All recordings that were added, and how far they are."""
        return [described(entry) for entry in self._service.space(asked_by(request)).entries.values()]

    def remove(self, id: str, request: gr.Request) -> str:
        """Remove a recording, and what was made of it."""
        self._service.remove(asked_by(request), id)
        return id

    def correct(self, id: str, edges: list[Any] | None, request: gr.Request) -> dict[str, Any]:
        """Say where content ends: for each channel a list of begin_s, end_s and hz; null for as measured."""
        return described(self._service.correct(asked_by(request), id, edges))

    def models(self) -> list[str]:
        """The models that can be chosen; the first is taken by itself."""
        return self._service.models.names

    def presets(self) -> list[str]:
        """The presets that can be chosen."""
        return presets()

    def estimate(
        self, request: gr.Request, model: str = "", preset: str = DEFAULT, settings: dict[str, Any] | None = None
    ) -> float:
        """About how many seconds it takes to enhance all recordings."""
        how = EnhanceSettings().changed(preset, **(settings or {}))
        return self._service.estimate_s(asked_by(request), model or self.models()[0], how)

    def enhance(
        self, request: gr.Request, ids: list[str] | None = None, model: str = "", preset: str = DEFAULT,
        settings: dict[str, Any] | None = None,
    ) -> Iterator[list[dict[str, Any]]]:  # fmt: skip
        """Enhance recordings, all if none is named; tells how far they are until they are done."""
        how = EnhanceSettings().changed(preset, **(settings or {}))
        entries = self._service.start(asked_by(request), model or self.models()[0], how, ids)
        for _ in self._service.follow(entries):
            yield [described(entry) for entry in entries]

    def cancel(self, request: gr.Request) -> list[dict[str, Any]]:
        """Stop all that runs or waits."""
        self._service.cancel(asked_by(request))
        return self.recordings(request)

    def save(
        self, id: str, request: gr.Request, format: str = SAME, settings: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The result of a recording as a file."""
        how = EnhanceSettings().changed(**(settings or {}))
        return file_to_fetch(self._service.save(asked_by(request), id, format, how))

    def save_all(
        self, request: gr.Request, format: str = SAME, settings: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """All results in a ZIP archive."""
        return file_to_fetch(
            self._service.save_all(asked_by(request), format, EnhanceSettings().changed(**(settings or {})))
        )

    def save_into(
        self, folder: str, request: gr.Request, format: str = SAME, settings: dict[str, Any] | None = None
    ) -> list[str]:
        """Write all results into a folder of the app's machine; where they are."""
        how = EnhanceSettings().changed(**(settings or {}))
        return [str(path) for path in self._service.save_into(asked_by(request), folder, format, how)]

    def command(
        self, id: str, request: gr.Request, format: str = SAME, model: str = "", preset: str = DEFAULT,
        settings: dict[str, Any] | None = None,
    ) -> str:  # fmt: skip
        """The command line that does the same with a recording."""
        entry = self._service.space(asked_by(request)).entry(id)
        source = self._service.models.source(model or self.models()[0])
        changes = (settings or {}) | ({"cutoff_hz": entry.cutoffs_hz} if entry.edges else {})
        return command_line([entry.name], written_as(entry, format), source, preset, changes)


def described(entry: Entry) -> dict[str, Any]:
    """A recording as JSON has it: what `saga-sr measure` writes of it, and how far it is."""
    doing = entry.enhancement
    measured = entry.measurement.as_json() if entry.measurement else {}
    measured.pop("path", None)  # which clients would take for a file to fetch
    return {
        "id": entry.key,
        "name": entry.name,
        "measured": measured,
        "failure": entry.failure or (entry.said(doing.failure) if doing else ""),
        "state": doing.state if doing else "",
        "done_s": doing.done_s if doing else 0.0,
        "speed": doing.speed if doing else 0.0,
        "notes": [entry.said(note) for note in doing.notes] if doing else [],
    }


def uploaded(file: Any) -> tuple[str, str]:
    """Where a file is that a client says it has uploaded, and what it is called there.

    Raises:
        UsageError: it says no such thing.
    """
    if not isinstance(file, dict) or not isinstance(file.get("path"), str):
        raise UsageError("Files are uploaded: give handle_file(PATH) for each.")
    return file["path"], str(file.get("orig_name") or Path(file["path"]).name)


def file_to_fetch(path: Path) -> dict[str, Any]:
    """A file that the client fetches."""
    return {"path": str(path), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}
