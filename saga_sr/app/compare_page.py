"""The page Compare: two ways to restore a recording, heard blind; and reports of evaluations and runs."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component

from saga_sr.app.asking import Asked, as_toasts, asked_by
from saga_sr.app.blind_tests import Listening, Way
from saga_sr.app.compare_view import blind_value, report_html, report_title, result_html, status
from saga_sr.app.elements import drop_value, own_element
from saga_sr.app.enhance_page import PRESETS
from saga_sr.app.service import Service
from saga_sr.app.settings_form import changes_in
from saga_sr.app.words import Words
from saga_sr.core.errors import SagaError, UsageError

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
GO_JS = "(at) => { if (at) Object.assign(document.createElement('a'), {href: at, download: ''}).click(); }"
TRIALS = 10


class ComparePage:
    """The page, in the Gradio container that it is made in.

    Args:
        upload: where the browser sends files.
    """

    def __init__(self, service: Service, words: Words, upload: str) -> None:
        self._service, self.words = service, words
        with gr.Accordion(words("blind"), open=True):
            with gr.Column() as self._form:
                self._ask(upload)
            self._status = gr.Markdown("", elem_classes="saga-soft", container=False)
            self._blind = own_element("saga-blind", events={"answer": "input"})
            self._stop = gr.Button(words("blind_stop"), visible=False)
            with gr.Column(visible=False) as self._over:
                self._result = gr.HTML(apply_default_css=False)
                self._save = gr.Button(words("blind_save"))
        with gr.Accordion(words("reports"), open=True):
            self._report = gr.Dropdown([], label=words("report"), visible=False)
            self._none = gr.Markdown(words("reports_none"), elem_classes="saga-soft", container=False)
            self._frame = gr.HTML(apply_default_css=False)
        self._address = gr.Textbox(visible="hidden")
        self._wire()

    def _ask(self, upload: str) -> None:
        words = self.words
        gr.Markdown(words("blind_about"), elem_classes="saga-soft", container=False)
        value = drop_value(words, upload, self._service.settings.upload_mb, True, choose_folder="")
        self._drop = own_element("saga-drop", value, {"added": "upload"})
        with gr.Row(elem_classes="saga-narrow", equal_height=True):
            self._recording = gr.Dropdown([], label=words("blind_recording"), scale=3)
            self._count = gr.Number(TRIALS, label=words("blind_trials"), precision=0, minimum=1, scale=1)
        with gr.Row(elem_classes="saga-narrow"):
            self._ways = [*self._way("blind_first"), *self._way("blind_second")]
        self._start = gr.Button(words("blind_start"), variant="primary", size="lg")

    def _way(self, title: str) -> list[Component]:
        words, names = self.words, self._service.models.names
        with gr.Column(min_width=220):
            gr.Markdown(f"### {words(title)}", container=False)
            presets = [(words(f"preset_{name}"), name) for name in PRESETS]
            return [
                gr.Dropdown(names, value=names[0], label=words("blind_model")),
                gr.Dropdown(presets, value="default", label=words("blind_preset")),
                gr.Textbox(label=words("blind_changes"), placeholder=words("blind_changes_hint"), max_lines=3),
            ]

    def _wire(self) -> None:
        shown = [self._form, self._stop, self._status, self._blind, self._over, self._result]
        self._drop.upload(self._added, None, self._recording, **QUIET)
        self._start.click(self._began, [self._recording, self._count, *self._ways], shown, **QUIET)
        self._blind.input(self._answered, None, shown, **QUIET)
        self._stop.click(self._stopped, None, shown, **QUIET)
        self._save.click(self._saved, None, self._address, **QUIET).then(None, self._address, None, js=GO_JS)
        self._report.change(self._opened, self._report, self._frame, **QUIET)

    def shown_in(self, tab: gr.Tab) -> None:
        """Let recordings, models and reports be chosen that are there by the time that `tab` is shown."""
        models = [self._ways[0], self._ways[3]]
        tab.select(
            self._choices, [self._recording, *models, self._report],
            [self._recording, *models, self._report, self._none], **QUIET,
        )  # fmt: skip

    # -- what happens --------------------------------------------------------------------------------------------------

    def _choices(
        self, recording: str | None, first: str, second: str, report: str | None, request: gr.Request
    ) -> list[Any]:
        names, reports = self._service.models.names, self._service.reports.all()
        choices = [(report_title(one, self.words), one.key) for one in reports]
        there = [one.key for one in reports]
        return [
            self._recordings(asked_by(request), recording),
            *(gr.Dropdown(names, value=name) for name in (first, second)),
            gr.Dropdown(choices, value=report if report in there else None, visible=bool(there)),
            gr.Markdown(visible=not there),
        ]

    def _recordings(self, asked: Asked, chosen: str | None) -> gr.Dropdown:
        entries = [entry for entry in self._service.space(asked).entries.values() if entry.measurement]
        keys = [entry.key for entry in entries]
        value = chosen if chosen in keys else keys[-1] if keys else None
        return gr.Dropdown([(entry.name, entry.key) for entry in entries], value=value)

    @as_toasts
    def _added(self, event: gr.EventData, request: gr.Request) -> gr.Dropdown:
        asked = asked_by(request)
        entry = self._service.add_upload(asked, str(event.path), str(event.name))
        if entry.failure:
            self._service.remove(asked, entry.key)
            raise UsageError(entry.failure)
        return self._recordings(asked, entry.key)

    @as_toasts
    def _began(self, recording: str | None, count: int, request: gr.Request, *values: Any) -> Iterator[list[Any]]:
        asked = asked_by(request)
        if not recording:
            raise UsageError("Drop a recording first.")
        first, second = (Way(model, preset, changes_in(changes)) for model, preset, changes in (values[:3], values[3:]))
        listening = self._service.blind_tests.begin(asked, recording, (first, second), int(count or 0))
        for _ in self._service.blind_tests.follow(asked, listening):
            yield self._show(listening)

    def _show(self, listening: Listening) -> list[Any]:
        is_over, busy = listening.state == "over", listening.state in ("preparing", "listening")
        return [
            gr.Column(visible=not busy),
            gr.Button(visible=busy),
            escape(status(listening, self.words)),
            blind_value(listening, self.words),
            gr.Column(visible=is_over),
            result_html(listening, self.words) if is_over else "",
        ]

    @as_toasts
    def _answered(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        return self._show(self._service.blind_tests.answer(asked_by(request), int(event.trial), str(event.said)))

    @as_toasts
    def _stopped(self, request: gr.Request) -> list[Any]:
        return self._show(self._service.blind_tests.stop(asked_by(request)))

    @as_toasts
    def _saved(self, request: gr.Request) -> str:
        path = self._service.blind_tests.write_csv(asked_by(request))
        return f"/saga/download/{self._service.downloads.offer(path)}"

    def _opened(self, key: str | None) -> str:
        try:
            report = self._service.reports.find(key or "")
        except SagaError:  # it has been removed
            return ""
        return report_html(report, self.words)


def compare_page(service: Service, words: Words, upload: str) -> ComparePage:
    """Make the page."""
    return ComparePage(service, words, upload)
