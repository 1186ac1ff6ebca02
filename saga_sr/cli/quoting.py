"""Text of the user's, as Hydra's grammar and OmegaConf take it without reading anything into it."""

from __future__ import annotations

import os
import re
from typing import Any

from omegaconf import DictConfig

from saga_sr.core.storage import plain

# The last names of settings that take a path, or words. A value of theirs is text, whatever signs are in it.
PATHS = frozenset(
    (
        *("path", "validation_path", "captions", "cache", "model", "input", "output", "source", "file", "folders"),
        *("text_encoder", "init_from", "resume", "json", "picture", "manifest"),
        *("models", "read", "write"),
    )
)
TEXTS = PATHS | {"prompt", "push", "license", "name"}
# Folders of Hydra's own, in which its interpolations stay what they are.
HYDRA_PATHS = frozenset(("hydra.run.dir", "hydra.sweep.dir"))
# What Hydra reads as the same text without quotation marks; paths of runs stay readable in folders' names.
PLAIN = re.compile(r"(?:\.{0,2}/|[A-Za-z_])[\w./:+-]*", re.ASCII)
OTHER_THAN_TEXT = frozenset(("null", "true", "false", "nan", "inf"))
QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
LISTED = re.compile(r"\[.*\]|\{.*\}", re.DOTALL)


def takes_text(key: str, default: Any = None) -> bool:
    """Whether the setting `key` takes a path or words; `default` tells it from a switch or a group of that name."""
    return key.rpartition(".")[2] in TEXTS and not isinstance(default, bool | int | float | DictConfig)


def expanded(path: str) -> str:
    """`path` without `file://`, and with the home folder in the place of `~`, where the shell left it."""
    path = plain(path)
    return os.path.expanduser(path) if path.startswith("~") else path  # noqa: PTH111 - Path drops a slash at the end


def uninterpolated(text: str) -> str:
    """`text` as a value of OmegaConf, which reads `${...}` as a reference and `???` as missing."""
    if text == "???":
        return "./???"
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)


def quoted(text: str) -> str:
    """`text` as a value in Hydra's grammar that stands for it."""
    if PLAIN.fullmatch(text) and text.lower() not in OTHER_THAN_TEXT:
        return text
    # Backslashes count double before a quotation mark, the closing one included.
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    return "'" + re.sub(r"(\\+)\Z", r"\1\1", escaped) + "'"


def text_value(key: str, value: str) -> str:
    """The value of the text setting `key`, as it was typed, in Hydra's grammar.

    A name that exists is that file. Otherwise null is no value, and what is in quotation marks or brackets is in
    Hydra's grammar already, as lists of folders are.
    """
    if key in HYDRA_PATHS:
        return value if QUOTED.fullmatch(value) else quoted(expanded(value))
    is_path = key.rpartition(".")[2] in PATHS
    exists = is_path and os.path.lexists(expanded(value))
    if not exists and (value == "null" or QUOTED.fullmatch(value) or (is_path and LISTED.fullmatch(value))):
        return value
    return quoted(uninterpolated(expanded(value) if is_path else value))
