"""Fields for all of `EnhanceSettings`, made from it; and the command line that does what a page does."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gradio as gr
import yaml
from gradio.components import Component

from saga_sr.app.training_runs import split
from saga_sr.app.words import Words
from saga_sr.cli.settings import declared, kind_of
from saga_sr.core.errors import ConfigError, UsageError
from saga_sr.files.output_formats import FILM_FORMATS
from saga_sr.inference.settings import EnhanceSettings, choices

# What pages have other means for.
ELSEWHERE = ("format", "keep_video", "cutoff_hz", "effort")


def setting_names() -> list[str]:
    """The settings that have a field, by their short names, as commands take them."""
    return [name for name in (key.rpartition(".")[2] for key in declared()) if name not in ELSEWHERE]


def explained() -> Iterator[tuple[str, Any, Any, str]]:
    """Each setting that has a field: its short name, type, default and explanation."""
    for key, (hint, _, text) in declared().items():
        name = key.rpartition(".")[2]
        if name not in ELSEWHERE:
            yield name, hint, default_of(key), text


def default_of(key: str) -> Any:
    """The default of the setting with the full name `key`."""
    value: Any = EnhanceSettings()
    for part in key.removeprefix("enhance.").split("."):
        value = getattr(value, part)
    return value


def fields(words: Words) -> dict[str, Component]:
    """A field for each setting, in the order of `EnhanceSettings`."""
    return {name: _field(name, hint, default, text, words) for name, hint, default, text in explained()}


def _field(name: str, hint: Any, default: Any, text: str, words: Words) -> Component:
    shown: dict[str, Any] = {"label": name, "info": words(f"help_{name}")}
    kind, _ = kind_of(name, default if hint in (None, Any) else hint)
    if kind is bool:
        return gr.Checkbox(value=default, **shown)
    if kind in (int, float):
        return gr.Number(value=default, precision=0 if kind is int else None, placeholder=words("not_set"), **shown)
    if listed := choices(name):
        unset = [(words("not_set"), "")] if default is None else []
        return gr.Dropdown([*unset, *((choice, choice) for choice in listed)], value=default or "", **shown)
    text_value = "" if default in (None, {}) else str(default)
    return gr.Textbox(value=text_value, placeholder=words("not_set"), max_lines=1, **shown)


def changes_of(values: Sequence[Any]) -> dict[str, Any]:
    """What the fields change, by short names, given their values in their order.

    Raises:
        ConfigError: a text that is no value.
    """
    changes: dict[str, Any] = {}
    for (name, hint, default, _), value in zip(explained(), values, strict=True):
        kind, _ = kind_of(name, default if hint in (None, Any) else hint)
        if value is None or value == "":
            continue
        if isinstance(value, str) and (kind is not str or hint is Any):
            value = _read(name, value)
        if kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        if value != default:
            changes[name] = value
    return changes


def changes_in(text: str) -> dict[str, Any]:
    """The changes that `text` says, as `setting=value` apart by spaces and lines, by short names.

    Raises:
        UsageError: it says something else.
        ConfigError: a text that is no value.
    """
    changes: dict[str, Any] = {}
    for word in split(text or ""):
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"{word!r} is no change of a setting; write one like steps=8.")
        changes[name] = _read(name, value)
    return changes


def _read(name: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}={value} cannot be read; see to its brackets and quotation marks.") from error


def command_line(names: Sequence[str], suffix: str, model: str | None, preset: str, changes: Mapping[str, Any]) -> str:
    """The command for the same results as a page makes.

    Args:
        names: of the recordings.
        suffix: of the results.
        model: None for the one that is taken by itself.
        changes: settings by short names.
    """
    words = ["saga-sr", "enhance", *(f"./{name}" if name[0] in "-@" else name for name in names), "enhanced/"]
    words += [f"format={suffix}"]
    words += [f"model={model}"] if model else []
    words += [f"preset={preset}"] if preset != "default" else []
    words += ["keep_video=true"] if suffix in FILM_FORMATS else []
    for name, value in changes.items():
        if name == "wishes":
            words += [f"wishes.{wish}={_in_hydras_grammar(asked)}" for wish, asked in value.items()]
        else:
            words.append(f"{name}={_in_hydras_grammar(value)}")
    return shlex.join(words)


def _in_hydras_grammar(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_in_hydras_grammar, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
