"""The page Train: a run is chosen, checked, started, watched, stopped, gone on with and handed to Enhance."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import escape
from typing import Any

import gradio as gr

from saga_sr.app.asking import as_toasts, asked_by
from saga_sr.app.elements import command_box, own_element
from saga_sr.app.run_routes import clip_value
from saga_sr.app.service import Service
from saga_sr.app.train_view import cost_html, report_html, runs_value
from saga_sr.app.training_cost import training_cost
from saga_sr.app.training_plan import changeable, model_rate, options, recipes
from saga_sr.app.training_runs import command_line, key_of, split
from saga_sr.app.words import Words
from saga_sr.core.errors import SagaError, UsageError

# To the first page, once there is something to be tried there.
GO_JS = "(tried) => { if (tried) document.querySelectorAll('[role=tab]')[0].click(); }"
# Runs are looked at anew so often, and how far a check is.
EVERY_S, TOLD_EVERY_S = 3.0, 0.4
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}


class TrainPage:
    """The page, in the Gradio container that it is made in."""

    def __init__(self, service: Service, words: Words) -> None:
        self._service, self.words, self._runs = service, words, service.runs
        self._chosen, self._compared, self._clips = gr.State(None), gr.State([]), gr.State([])
        if self._runs.can_start:
            with gr.Accordion(words("new_run"), open=True):
                self._form()
        self._list = own_element("saga-runs", events={"choose": "select", "act": "input", "compare": "edit"})
        with gr.Row(visible=False, elem_classes="saga-narrow", equal_height=True) as self._hearing:
            self._clip = gr.Dropdown([], label=words("clip"))
            against = [(words(f"against_{name}"), name) for name in ("input", "reference")]
            self._against = gr.Dropdown(against, value="input", label=words("against"))
            self._newest = gr.Button(words("newest_clips"))
        self._player = own_element("saga-player")
        self._tried = gr.Textbox(visible="hidden")
        self._timer = gr.Timer(EVERY_S, active=False)
        self._watched = [self._chosen, self._compared], [self._list, self._chosen, self._clips]
        self._wire()

    def shown_in(self, tab: gr.Tab) -> None:
        """Look at the runs from the time on that `tab`, with the page in it, is shown."""
        tab.select(lambda: gr.Timer(active=True), None, self._timer, **QUIET)
        if self._runs.can_start:
            # One event for all, so that an answer never comes after that to a later question.
            gr.on(
                [tab.select, *(one.change for one in self._asked)], self._planned, self._asked,
                [self._said, self._command], **QUIET, trigger_mode="always_last",
            )  # fmt: skip
            # They are composed first, which an app whose users train nothing need not wait for.
            tab.select(self._settable, self._recipe, self._setting, **QUIET)
        tab.select(self._refreshed, *self._watched, **QUIET)

    def _form(self) -> None:
        words, recipe = self.words, recipes()[0].name
        with gr.Row(elem_classes="saga-narrow"):
            self._recipe = gr.Dropdown([one.name for one in recipes()], value=recipe, label=words("recipe"))
            self._name = gr.Textbox(self._free_name(recipe), label=words("name"), max_lines=1)
        self._about = gr.Markdown(words.sentence(recipes()[0].about), elem_classes="saga-soft", container=False)
        self._source = gr.Textbox(label=words("data"), info=words("data_hint"), max_lines=1)
        with gr.Row(elem_classes="saga-narrow", equal_height=True):
            self._licences = gr.Textbox(label=words("licences"), max_lines=1, scale=3)
            self._check = gr.Button(words("check"), scale=1)
        self._report = gr.HTML(apply_default_css=False)
        with gr.Row(elem_classes="saga-narrow", equal_height=True):
            self._setting = gr.Dropdown([], value=None, label=words("setting"))
            self._value = gr.Dropdown([], label=words("value"), allow_custom_value=True)
            self._add = gr.Button(words("add_change"))
        self._changes = gr.Textbox(label=words("changes"), lines=2, max_lines=12, elem_classes="saga-mono")
        self._said = gr.Markdown("", elem_classes="saga-soft", container=False)
        self._command = command_box(words, words("train_command"))
        with gr.Row(elem_classes="saga-narrow", equal_height=True):
            self._start = gr.Button(words("start"), variant="primary", size="lg")
            self._cost = gr.Button(words("cost"), size="lg")
        self._costs = gr.HTML(apply_default_css=False)
        self._asked = [self._recipe, self._source, self._changes, self._name]

    def _wire_form(self) -> None:
        asked = self._asked
        self._recipe.change(self._recipe_chosen, self._recipe, [self._about, self._name, self._setting], **QUIET)
        self._setting.change(self._setting_chosen, [self._recipe, self._setting], self._value, **QUIET)
        self._add.click(self._added, [self._setting, self._value, self._changes], self._changes, **QUIET)
        heavy = QUIET | {"concurrency_limit": 2}
        self._check.click(self._checked, [self._recipe, self._source, self._licences], self._report, **heavy)
        self._cost.click(self._costed, asked, self._costs, **(heavy | {"show_progress": "minimal"}))
        self._start.click(
            self._started, [*asked, self._compared], [self._list, self._chosen, self._name],
            **(QUIET | {"show_progress": "minimal"}),
        )  # fmt: skip

    def _wire(self) -> None:
        if self._runs.can_start:
            self._wire_form()
        shown = [self._chosen, self._compared]
        # Each by itself, so that one without an answer is not waited for.
        self._timer.tick(self._refreshed, *self._watched, **QUIET, trigger_mode="multiple")
        self._list.select(self._chose, self._compared, [self._list, self._chosen], **QUIET, trigger_mode="multiple")
        self._list.edit(self._compares, self._chosen, [self._list, self._compared], **QUIET, trigger_mode="multiple")
        acted = self._list.input(self._acted, shown, [self._list, self._chosen, self._tried], **QUIET)
        acted.success(None, self._tried, js=GO_JS)
        gr.on(
            [self._chosen.change, self._clips.change], self._clips_shown, self._chosen, [self._hearing, self._clip],
            **QUIET,
        )  # fmt: skip
        gr.on(
            [self._clip.change, self._against.change, self._newest.click], self._heard,
            [self._chosen, self._clip, self._against], self._player, **QUIET,
        )  # fmt: skip

    # -- a new run -----------------------------------------------------------------------------------------------------

    def _free_name(self, recipe: str) -> str:
        """What a run by `recipe` may be called that is not there yet."""
        there = {run.folder.name for run in self._runs.runs()}
        return next(name for number in range(1, len(there) + 2) if (name := f"{recipe}-{number}") not in there)

    def _recipe_chosen(self, recipe: str) -> list[Any]:
        about = next(one.about for one in recipes() if one.name == recipe)
        return [self.words.sentence(about), self._free_name(recipe), gr.Dropdown([*changeable(recipe)], value=None)]

    def _settable(self, recipe: str) -> gr.Dropdown:
        return gr.Dropdown([*changeable(recipe)])

    def _setting_chosen(self, recipe: str, setting: str | None) -> gr.Dropdown:
        there = changeable(recipe)
        if setting not in there:
            return gr.Dropdown([], value=None)
        return gr.Dropdown(options(recipe, setting) or [there[setting]], value=there[setting])

    @as_toasts
    def _added(self, setting: str | None, value: Any, changes: str) -> str:
        if not setting:
            raise UsageError("Choose a setting first.")
        kept = [line for line in changes.splitlines() if line.strip() and not line.startswith(f"{setting}=")]
        return "\n".join([*kept, f"{setting}={shlex.quote(str(value))}"])

    def _planned(self, recipe: str, source: str, changes: str, name: str) -> tuple[str, str]:
        try:
            planned = self._runs.plan(recipe, source, split(changes), name)
        except SagaError as error:
            return _plain(self.words.sentence(error)), ""
        return self.words("ready"), command_line(planned)

    @as_toasts
    def _costed(self, recipe: str, source: str, changes: str, name: str) -> str:
        return cost_html(training_cost(self._runs.plan(recipe, source, split(changes), name).overrides), self.words)

    @as_toasts
    def _checked(self, recipe: str, source: str, licences: str) -> Iterator[str]:
        if not source:
            raise UsageError("Name a folder of recordings first.")
        far = [0, 0]

        def progress(done: int, whole: int) -> None:
            far[:] = done, whole

        with ThreadPoolExecutor(1) as pool:
            checking = pool.submit(self._runs.check, source, licences, progress)
            while not checking.done():
                yield f"<p>{self.words('checking', done=far[0], all=far[1])}</p>"
                time.sleep(TOLD_EVERY_S)
        yield report_html(checking.result(), model_rate(recipe) / 2, self.words)

    @as_toasts
    def _started(self, recipe: str, source: str, changes: str, name: str, compared: list[str]) -> list[Any]:
        key = key_of(self._runs.start(recipe, source, split(changes), name).folder)
        return [runs_value(self._runs, self.words, key, compared), key, self._free_name(recipe)]

    # -- runs ----------------------------------------------------------------------------------------------------------

    def _refreshed(self, chosen: str | None, compared: list[str]) -> list[Any]:
        shown = runs_value(self._runs, self.words, chosen, compared)
        if chosen is None and shown["rows"]:
            chosen = shown["rows"][0]["key"]
            return [runs_value(self._runs, self.words, chosen, compared), chosen, self._clips_of(chosen)]
        return [shown, gr.skip(), self._clips_of(chosen)]  # another may have been chosen meanwhile

    @as_toasts
    def _chose(self, compared: list[str], event: gr.EventData) -> list[Any]:
        key = str(event.key)
        return [runs_value(self._runs, self.words, key, compared), key]

    @as_toasts
    def _compares(self, chosen: str | None, event: gr.EventData) -> list[Any]:
        compared = [str(one) for one in event.compared]
        return [runs_value(self._runs, self.words, chosen, compared), compared]

    @as_toasts
    def _acted(
        self, chosen: str | None, compared: list[str], event: gr.EventData, request: gr.Request
    ) -> list[Any]:  # fmt: skip
        key, action, tried = str(event.key), str(event.action), ""
        if action == "try":
            tried = self._service.offer(asked_by(request), str(self._runs.export(key)))
            gr.Info(self.words("tried", name=escape(tried)))
        elif action in ("stop", "resume"):
            chosen = key
            (self._runs.stop if action == "stop" else self._runs.resume)(key)
        return [runs_value(self._runs, self.words, chosen, compared), chosen, tried]

    def _clips_of(self, chosen: str | None) -> list[int]:
        """The numbers of the clips of the chosen run, as far as there are any."""
        try:
            return self._runs.clips(self._runs.run(chosen)) if chosen else []
        except SagaError:  # it has been removed
            return []

    def _clips_shown(self, chosen: str | None) -> list[Any]:
        there = self._clips_of(chosen)
        choices = [(self.words("clip_number", n=number + 1), f"{chosen} {number}") for number in there]
        return [gr.Row(visible=bool(there)), gr.Dropdown(choices, value=choices[0][1] if choices else None)]

    def _heard(self, chosen: str | None, clip: str | None, against: str) -> dict[str, Any] | None:
        if not chosen or not clip:
            return None
        try:
            run = self._runs.run(chosen)
        except SagaError:
            return None
        return clip_value(self._runs, run, int(clip.rpartition(" ")[2]), against, self.words.language)


def _plain(text: str) -> str:
    """`text` as Markdown that stands for itself."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]<>()#+-!|~$&" else sign for sign in text)


def train_page(service: Service, words: Words, upload: str) -> TrainPage:
    """Make the page."""
    return TrainPage(service, words)
