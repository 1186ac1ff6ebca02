"""What programs can ask the app for of blind tests and reports: all that the page Compare can do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from saga_sr.app.asking import as_gradio_errors, asked_by
from saga_sr.app.blind_tests import Way
from saga_sr.app.compare_view import report_url, told
from saga_sr.app.enhance_api import file_to_fetch
from saga_sr.app.service import Service
from saga_sr.core.errors import UsageError


def compare_endpoints(service: Service) -> None:
    """Make the endpoints, in the Gradio container that this is called in."""
    api = _Endpoints(service)
    for name in ("blind_answer", "blind_stop", "blind_save", "reports"):
        gr.api(as_gradio_errors(getattr(api, name)), api_name=name, concurrency_limit=4)
    gr.api(as_gradio_errors(api.blind_test), api_name="blind_test", concurrency_limit=None)


class _Endpoints:
    """What each endpoint does; a way to restore a recording has a model, a preset and changes of settings."""

    def __init__(self, service: Service) -> None:
        self._tests, self._reports, self._models = service.blind_tests, service.reports, service.models

    def blind_test(
        self, id: str, first: dict[str, Any], second: dict[str, Any], request: gr.Request, trials: int = 10
    ) -> Iterator[dict[str, Any]]:
        """Begin a blind test with a recording restored in two ways; tells how far it is until it can be heard."""
        asked = asked_by(request)
        listening = self._tests.begin(asked, id, (self._way(first), self._way(second)), trials)
        for _ in self._tests.follow(asked, listening):
            yield told(listening)

    def blind_answer(self, trial: int, said: str, request: gr.Request) -> dict[str, Any]:
        """Say of a trial that X is a or b."""
        return told(self._tests.answer(asked_by(request), trial, said))

    def blind_stop(self, request: gr.Request) -> dict[str, Any]:
        """End the test before all trials are answered."""
        return told(self._tests.stop(asked_by(request)))

    def blind_save(self, request: gr.Request) -> dict[str, Any]:
        """The answers as CSV, once the test is over."""
        return file_to_fetch(self._tests.write_csv(asked_by(request)))

    def reports(self) -> list[dict[str, Any]]:
        """The reports of evaluations and runs, and the address of each, below the app's."""
        return [
            {"kind": one.kind, "name": one.name, "written": one.written.isoformat(), "url": report_url(one)}
            for one in self._reports.all()
        ]

    def _way(self, given: dict[str, Any]) -> Way:
        wrong = next((name for name in given if name not in ("model", "preset", "changes")), None)
        if wrong is not None:
            raise UsageError(f"There is no {wrong!r} in a way to restore; give model, preset and changes.")
        return Way(**({"model": self._models.names[0]} | given))
