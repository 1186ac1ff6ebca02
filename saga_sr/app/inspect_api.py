"""What programs can ask the app for of models: all that the page Inspect can do."""

from __future__ import annotations

from typing import Any

import gradio as gr

from saga_sr.app.asking import as_gradio_errors, asked_by
from saga_sr.app.enhance_api import file_to_fetch, uploaded
from saga_sr.app.model_files import Conversion
from saga_sr.app.service import Service
from saga_sr.core.errors import ConfigError


def inspect_endpoints(service: Service) -> None:
    """Make the endpoints, in the Gradio container that this is called in."""
    api = _Endpoints(service)
    for name in ("add_weights", "inspect", "export", "export_into", "export_command"):
        gr.api(as_gradio_errors(getattr(api, name)), api_name=name, concurrency_limit=4)


class _Endpoints:
    """What each endpoint does; `conversion` is as for `saga-sr export`: format, weights, dtype, license, steps."""

    def __init__(self, service: Service) -> None:
        self._files = service.model_files

    def add_weights(self, file: dict[str, Any], request: gr.Request) -> str:
        """Add an uploaded file of weights; what it is called from now on."""
        return self._files.add_upload(asked_by(request), *uploaded(file))

    def inspect(self, model: str, request: gr.Request) -> dict[str, Any]:
        """What a model that is offered, an upload or a path holds."""
        found = self._files.inspect(asked_by(request), model)
        return {
            "recognised": found.contents.recognised,
            "facts": found.contents.facts,
            "tensors": [vars(entry) for entry in found.contents.entries],
            "parts": [vars(part) for part in found.parts],
            "cost": vars(found.cost) if found.cost else None,
            "command": self._files.inspect_command(asked_by(request), model),
        }

    def export(self, model: str, request: gr.Request, conversion: dict[str, Any] | None = None) -> dict[str, Any]:
        """A model converted, in a ZIP archive."""
        return file_to_fetch(self._files.export_archive(asked_by(request), model, _conversion(conversion))[0])

    def export_into(
        self, model: str, folder: str, request: gr.Request, conversion: dict[str, Any] | None = None
    ) -> list[str]:
        """Convert a model into a new folder of the app's machine; where it is, and what was left out."""
        target, notes = self._files.export(asked_by(request), model, _conversion(conversion), folder)
        return [str(target), *notes]

    def export_command(
        self, model: str, request: gr.Request, folder: str = "", conversion: dict[str, Any] | None = None
    ) -> str:
        """The command line that converts it so."""
        return self._files.export_command(asked_by(request), model, _conversion(conversion), folder)


def _conversion(given: dict[str, Any] | None) -> Conversion:
    known = vars(Conversion())
    wrong = next((name for name in given or {} if name not in known), None)
    if wrong is not None:
        raise ConfigError(f"There is no setting {wrong!r}; choose one of {', '.join(known)}.")
    return Conversion(**(given or {}))
