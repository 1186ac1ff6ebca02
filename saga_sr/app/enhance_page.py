"""The page Enhance: recordings are dropped, heard, restored, compared and saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from html import escape
from typing import Any

import gradio as gr

from saga_sr.app.asking import Asked, as_toasts, asked_by
from saga_sr.app.elements import command_box, drop_value, own_element
from saga_sr.app.recording_rows import duration, player_value, rows
from saga_sr.app.saving import SAME, written_as
from saga_sr.app.service import TOLD_EVERY_S, Service
from saga_sr.app.settings_form import changes_of, command_line, fields
from saga_sr.app.words import Words
from saga_sr.app.workspace import Entry
from saga_sr.core.errors import SagaError
from saga_sr.files.output_formats import FORMATS
from saga_sr.inference.settings import EnhanceSettings, presets

# The effort that most want first.
PRESETS = sorted(presets(), key=["default", "fast", "balanced", "best"].index)


class EnhancePage:
    """The page, in the Gradio container that it is made in.

    Args:
        upload: where the browser sends files.
    """

    def __init__(self, service: Service, words: Words, upload: str) -> None:
        self._service, self.words, self._upload = service, words, upload
        self._chosen, self._rows_known = gr.State(None), gr.State(None)
        self._drop = own_element("saga-drop", self._drop_value(False), {"added": "upload"})
        self._path_row(words)
        self._rows = own_element("saga-recordings", events={"choose": "select", "remove": "delete"})
        with gr.Row(visible=False, elem_classes="saga-narrow", equal_height=True) as self._work:
            self._model = gr.Dropdown(service.models.names, label=words("model"), visible=len(service.models.names) > 1)
            choices = [(words(f"preset_{name}"), name) for name in PRESETS]
            self._preset = gr.Dropdown(choices, value="default", label=words("preset"))
            self._run = gr.Button(words("run"), variant="primary", size="lg")
            self._cancel = gr.Button(words("cancel"), size="lg", visible=False)
        self._estimate = gr.Markdown("", elem_classes="saga-soft", container=False)
        self._player = own_element("saga-player", events={"edgechange": "input"})
        with gr.Row(visible=False, elem_classes="saga-narrow", equal_height=True) as self._results:
            self._format = gr.Dropdown(self._formats(), value=SAME, label=words("format"))
            self._save = gr.Button(words("save"), variant="primary", size="lg")
            self._save_all = gr.Button(words("save_all"), size="lg")
        with gr.Row(visible=False, elem_classes="saga-narrow", equal_height=True) as self._elsewhere:
            self._into = gr.Textbox(label=words("into"), scale=4)
            self._save_into = gr.Button(words("save_into"), scale=1)
        with gr.Accordion(words("advanced"), open=False, visible=False) as self._advanced:
            self._fields = fields(words)
            self._command = command_box(words, words("command"))
        self._address = gr.Textbox(visible="hidden")
        self._shown = [self._drop, self._rows, self._player, self._work, self._run, self._cancel, self._results,
                       self._elsewhere, self._advanced, self._chosen, self._rows_known]  # fmt: skip
        self._wire()

    def _path_row(self, words: Words) -> None:
        with gr.Row(visible=bool(self._service.settings.read), elem_classes="saga-narrow", equal_height=True):
            self._path = gr.Textbox(label=words("path"), scale=4)
            self._path_add = gr.Button(words("path_add"), scale=1)

    def _formats(self) -> list[tuple[str, str]]:
        return [(self.words("same"), SAME), *((how.name, name) for name, how in FORMATS.items())]

    def _drop_value(self, compact: bool) -> dict[str, Any]:
        return drop_value(self.words, self._upload, self._service.settings.upload_mb, compact)

    def shown_in(self, tab: gr.Tab) -> None:
        """Let models be chosen that were offered by the time that `tab`, with the page in it, is shown."""
        tab.select(self._offered, self._model, self._model, show_progress="hidden", api_visibility="private")

    def _offered(self, model: str, request: gr.Request) -> gr.Dropdown:
        names = self._service.models.names
        return gr.Dropdown(names, value=self._service.offered(asked_by(request)) or model, visible=len(names) > 1)

    # -- what happens --------------------------------------------------------------------------------------------------

    def _wire(self) -> None:
        ways = [self._model, self._preset, *self._fields.values()]
        quiet: dict[str, Any] = {
            "show_progress": "hidden",
            "api_visibility": "private",
            "concurrency_limit": None,
            "trigger_mode": "multiple",
        }
        self._drop.upload(self._added, [self._chosen], self._shown, **(quiet | {"concurrency_limit": 2}))
        self._path_add.click(self._added_from, [self._path, self._chosen], self._shown, **quiet)
        self._rows.select(self._chose, None, self._shown, **quiet)
        self._rows.delete(self._removed, [self._chosen], self._shown, **quiet)
        self._player.input(self._corrected, [self._chosen], self._shown, **quiet)
        self._run.click(self._enhanced, [self._chosen, *ways], self._shown, **quiet)
        self._cancel.click(self._cancelled, None, None, **quiet)
        # By a link: whoever navigates away from the page loses it.
        go = "(at) => { if (at) Object.assign(document.createElement('a'), {href: at, download: ''}).click(); }"
        for button, work in ((self._save, self._saved), (self._save_all, self._saved_all)):
            button.click(work, [self._chosen, self._format, *ways], self._address, **quiet).then(
                None, self._address, None, js=go
            )
        self._save_into.click(self._saved_into, [self._into, self._format, *ways], None, **quiet)
        gr.on(
            [self._rows_known.change, *(one.change for one in ways)], self._estimated, ways, self._estimate,
            **(quiet | {"trigger_mode": "always_last"}),
        )  # fmt: skip
        gr.on(
            [one.change for one in (*ways, self._format, self._rows_known)],
            self._commanded, [self._chosen, self._format, *ways], self._command, **quiet,
        )  # fmt: skip

    def _show(self, asked: Asked, chosen: str | None) -> list[Any]:
        """All that is shown of the recordings, as `_shown` lists it."""
        space = self._service.space(asked)
        version = next(space.versions)
        entries = [*space.entries.values()]
        if chosen not in space.entries:
            chosen = entries[0].key if entries else None
        states = [entry.enhancement for entry in entries if entry.enhancement is not None]
        busy = any(not state.is_over for state in states)
        done = any(state.state == "done" for state in states)
        there = any(entry.measurement for entry in entries)
        shown = space.entries.get(chosen or "")
        return [
            self._drop_value(bool(entries)),
            {"version": version, "chosen": chosen, "rows": rows(self._service, entries, self.words)},
            player_value(shown, self.words.language) if shown else None,
            gr.Row(visible=there),
            gr.Button(visible=not busy),
            gr.Button(visible=busy),
            gr.Row(visible=done),
            gr.Row(visible=done and bool(self._service.settings.write)),
            gr.Accordion(visible=there),
            chosen,
            [(entry.key, entry.restored_s, entry.cutoffs_hz) for entry in entries],
        ]

    @as_toasts
    def _added(self, chosen: str | None, event: gr.EventData, request: gr.Request) -> Iterator[list[Any]]:
        asked = asked_by(request)
        path, name = str(event.path), str(event.name)
        yield from self._while_measured(asked, chosen, lambda: self._service.add_upload(asked, path, name))

    @as_toasts
    def _added_from(self, path: str, chosen: str | None, request: gr.Request) -> Iterator[list[Any]]:
        asked = asked_by(request)
        yield from self._while_measured(asked, chosen, lambda: [*self._service.add_from(asked, path)])

    def _while_measured(self, asked: Asked, chosen: str | None, add: Callable[[], object]) -> Iterator[list[Any]]:
        """What is shown while recordings are added, which takes a while where they are long."""
        with ThreadPoolExecutor(1) as pool:
            adding = pool.submit(add)
            while wait([adding], TOLD_EVERY_S).not_done:
                yield self._show(asked, chosen)
            adding.result()
        yield self._show(asked, chosen)

    @as_toasts
    def _chose(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        return self._show(asked_by(request), str(event.key))

    @as_toasts
    def _removed(self, chosen: str | None, event: gr.EventData, request: gr.Request) -> list[Any]:
        self._service.remove(asked_by(request), str(event.key))
        return self._show(asked_by(request), chosen)

    @as_toasts
    def _corrected(self, chosen: str | None, event: gr.EventData, request: gr.Request) -> list[Any]:
        self._service.correct(asked_by(request), str(event.id), event.edges)
        return self._show(asked_by(request), chosen)

    @as_toasts
    def _enhanced(
        self, chosen: str | None, model: str, preset: str, request: gr.Request, *values: Any
    ) -> Iterator[Any]:
        asked = asked_by(request)
        settings = EnhanceSettings().changed(preset, **changes_of(values))
        entries = self._service.start(asked, model, settings)
        for _ in self._service.follow(entries):
            yield self._show(asked, chosen)

    @as_toasts
    def _cancelled(self, request: gr.Request) -> None:
        self._service.cancel(asked_by(request))

    @as_toasts
    def _saved(self, chosen: str, suffix: str, model: str, preset: str, request: gr.Request, *values: Any) -> str:
        path = self._service.save(asked_by(request), chosen, suffix, EnhanceSettings().changed(**changes_of(values)))
        return f"/saga/download/{self._service.downloads.offer(path)}"

    @as_toasts
    def _saved_all(self, chosen: str, suffix: str, model: str, preset: str, request: gr.Request, *values: Any) -> str:
        path = self._service.save_all(asked_by(request), suffix, EnhanceSettings().changed(**changes_of(values)))
        return f"/saga/download/{self._service.downloads.offer(path)}"

    @as_toasts
    def _saved_into(self, folder: str, suffix: str, model: str, preset: str, request: gr.Request, *values: Any) -> None:
        settings = EnhanceSettings().changed(**changes_of(values))
        files = self._service.save_into(asked_by(request), folder, suffix, settings)
        gr.Info(self.words("saved_into", count=len(files), folder=escape(str(files[0].parent))))

    def _estimated(self, model: str, preset: str, request: gr.Request, *values: Any) -> Iterator[str]:
        asked = asked_by(request)
        if not any(entry.restored_s for entry in self._service.space(asked).entries.values()):
            yield ""
            return
        yield self.words("estimating")
        try:
            settings = EnhanceSettings().changed(preset, **changes_of(values))
            seconds = self._service.estimate_s(asked, model, settings)
        except SagaError as error:
            yield self.words.sentence(error)
        else:
            yield self.words("estimate", time=duration(max(seconds, 1), self.words))

    def _commanded(
        self, chosen: str | None, suffix: str, model: str, preset: str, request: gr.Request, *values: Any
    ) -> str:
        space = self._service.space(asked_by(request))
        try:
            changes = changes_of(values)
            source = self._service.models.source(model)
        except SagaError as error:
            return self.words.sentence(error)
        alike: dict[str, list[Entry]] = {}
        for entry in space.entries.values():
            alike.setdefault(repr((written_as(entry, suffix), entry.cutoffs_hz)), []).append(entry)
        return "\n".join(
            command_line(
                [entry.name for entry in entries], written_as(entries[0], suffix), source, preset,
                changes | ({"cutoff_hz": entries[0].cutoffs_hz} if entries[0].edges else {}),
            )
            for entries in alike.values()
        )  # fmt: skip


def enhance_page(service: Service, words: Words, upload: str) -> EnhancePage:
    """Make the page."""
    return EnhancePage(service, words, upload)
