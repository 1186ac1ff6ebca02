"""The page Inspect: what a model or a file of weights holds, and the exporter."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from saga_sr.app.asking import as_toasts, asked_by
from saga_sr.app.elements import command_box, drop_value, own_element
from saga_sr.app.inspect_view import contents_html
from saga_sr.app.model_files import ONNX, PACKAGE, Conversion
from saga_sr.app.service import Service
from saga_sr.app.words import Words
from saga_sr.core.errors import SagaError
from saga_sr.packages.checkpoint import KINDS
from saga_sr.packages.export import DTYPES

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
BUSY = QUIET | {"show_progress": "minimal", "concurrency_limit": 4}
GO_JS = "(at) => { if (at) Object.assign(document.createElement('a'), {href: at, download: ''}).click(); }"


class InspectPage:
    """The page, in the Gradio container that it is made in.

    Args:
        upload: where the browser sends files.
    """

    def __init__(self, service: Service, words: Words, upload: str) -> None:
        self._service, self.words, self._files = service, words, service.model_files
        self._chosen = gr.State("")
        keys = {"drop": "inspect_drop", "drop_more": "inspect_drop_more", "choose_folder": ""}
        value = drop_value(words, upload, service.settings.upload_mb, True, **keys)
        self._drop = own_element("saga-drop", value, {"added": "upload"})
        names = service.models.names
        with gr.Row(elem_classes="saga-narrow", equal_height=True):
            self._named = gr.Dropdown(
                names, value=names[0], label=words("inspect_named"), scale=4, allow_custom_value=True,
                info=words("inspect_named_hint") if service.settings.read or service.settings.write else None,
            )  # fmt: skip
            self._look = gr.Button(words("inspect_look"), variant="primary", scale=1)
        with gr.Column(visible=False) as self._holds:
            self._command = command_box(words, words("inspect_command"))
            self._found = gr.HTML(apply_default_css=False)
        with gr.Accordion(words("convert"), open=False, visible=False) as self._convert:
            self._form()
        self._address = gr.Textbox(visible="hidden")
        self._shown = [self._chosen, self._holds, self._command, self._found, self._convert, self._kinds]
        self._wire()

    def shown_in(self, tab: gr.Tab) -> None:
        """Let models be chosen that are there by the time that `tab`, with the page in it, is shown."""
        tab.select(self._choices, self._named, self._named, **QUIET)

    def _form(self) -> None:
        words = self.words
        with gr.Row(elem_classes="saga-narrow", equal_height=True):
            formats = [(words("convert_package"), PACKAGE), (words("convert_onnx"), ONNX)]
            self._format = gr.Dropdown(formats, value=PACKAGE, label=words("convert_format"))
            self._dtype = gr.Dropdown([*DTYPES], value="float32", label=words("convert_dtype"))
            self._steps = gr.Number(
                None, label=words("convert_steps"), precision=0, placeholder=words("preset_default"), visible=False
            )
        with gr.Row(elem_classes="saga-narrow", equal_height=True, visible=False) as self._kinds:
            kinds = [(words("convert_weights_default"), ""), *((words(f"convert_{kind}"), kind) for kind in KINDS)]
            self._weights = gr.Dropdown(kinds, value="", label=words("convert_weights"))
            self._license = gr.Textbox("unknown", label=words("convert_license"), max_lines=1)
        self._download = gr.Button(words("convert_download"), variant="primary", size="lg")
        can_write = bool(self._service.settings.write)
        with gr.Row(elem_classes="saga-narrow", equal_height=True, visible=can_write):
            self._folder = gr.Textbox(label=words("convert_folder"), scale=4, max_lines=1)
            self._there = gr.Button(words("convert_there"), scale=1)
        self._export_command = command_box(words, words("convert_command"))
        self._asked = [self._chosen, self._folder, self._format, self._weights, self._dtype, self._license, self._steps]

    def _wire(self) -> None:
        self._drop.upload(self._added, None, [self._named, *self._shown], **BUSY)
        gr.on([self._look.click, self._named.select], self._looked, self._named, self._shown, **BUSY)
        self._format.change(self._formatted, self._format, [self._dtype, self._license, self._steps], **QUIET)
        gr.on(
            [one.change for one in self._asked], self._commanded, self._asked, self._export_command,
            **QUIET, trigger_mode="always_last",
        )  # fmt: skip
        self._download.click(self._downloaded, self._asked, self._address, **BUSY).then(
            None, self._address, None, js=GO_JS
        )
        self._there.click(self._converted, self._asked, None, **BUSY)

    # -- what happens --------------------------------------------------------------------------------------------------

    def _choices(self, named: str, request: gr.Request) -> gr.Dropdown:
        return gr.Dropdown(self._files.names(asked_by(request)), value=named)

    @as_toasts
    def _added(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        asked = asked_by(request)
        name = self._files.add_upload(asked, str(event.path), str(event.name))
        return [gr.Dropdown(self._files.names(asked), value=name), *self._looked(name, request)]

    @as_toasts
    def _looked(self, named: str, request: gr.Request) -> list[Any]:
        asked, named = asked_by(request), (named or "").strip()
        found = self._files.inspect(asked, named)
        source = self._files.source(asked, named)
        return [
            named,
            gr.Column(visible=True),
            self._files.inspect_command(asked, named),
            contents_html(source.name, found, self.words),
            gr.Accordion(visible=source.can_be_exported),
            gr.Row(visible=source.has_kinds),
        ]

    def _formatted(self, format: str) -> list[Any]:
        is_package = format == PACKAGE
        return [gr.Dropdown(visible=is_package), gr.Textbox(visible=is_package), gr.Number(visible=not is_package)]

    def _commanded(self, named: str, folder: str, request: gr.Request, *values: Any) -> str:
        if not named:
            return ""
        try:
            return self._files.export_command(asked_by(request), named, Conversion(*values), folder)
        except SagaError as error:
            return self.words.sentence(error)

    @as_toasts
    def _downloaded(self, named: str, folder: str, request: gr.Request, *values: Any) -> str:
        archive, notes = self._files.export_archive(asked_by(request), named, Conversion(*values))
        for note in notes:
            gr.Warning(escape(note))
        return f"/saga/download/{self._service.downloads.offer(archive)}"

    @as_toasts
    def _converted(self, named: str, folder: str, request: gr.Request, *values: Any) -> None:
        target, notes = self._files.export(asked_by(request), named, Conversion(*values), folder)
        for note in notes:
            gr.Warning(escape(note))
        gr.Info(self.words("converted", folder=escape(str(target))))


def inspect_page(service: Service, words: Words, upload: str) -> InspectPage:
    """Make the page."""
    return InspectPage(service, words, upload)
