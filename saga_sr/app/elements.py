"""What Gradio has no component for: elements of our own, whose scripts are in `static/`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

import gradio as gr

from saga_sr.app.words import Words

SCRIPT = """
const [name, events] = %s;
const own = element.querySelector(name);
const show = () => { own.data = props.value; };
show(); watch('value', show);
for (const [type, as] of Object.entries(events)) own.addEventListener(type, (event) => trigger(as, event.detail));
"""


def own_element(name: str, value: Any = None, events: Mapping[str, str] | None = None, **texts: str) -> gr.HTML:
    """The element `name`, whose `data` is the component's value, so that nothing of a user's becomes HTML.

    Args:
        events: which of Gradio's events each of its own is told as.
        texts: its attributes.
    """
    attributes = "".join(f' {key}="{escape(text)}"' for key, text in texts.items())
    script = SCRIPT % json.dumps([name, dict(events or {})])
    return gr.HTML(
        value, html_template=f"<{name}{attributes}></{name}>", js_on_load=script, apply_default_css=False
    )  # fmt: skip


def command_box(words: Words, heading: str) -> gr.HTML:
    """A command line to be copied, which is the component's value."""
    return own_element("saga-command", "", heading=heading, copy=words("copy"), copied=words("copied"))


def drop_value(words: Words, upload: str, mb: float, compact: bool, **keys: str) -> dict[str, Any]:
    """What <saga-drop> is given.

    Args:
        upload: where the browser sends files.
        mb: the most of a file.
        compact: whether it is a line.
        keys: of its words, where they are others than those of recordings; empty for none.
    """
    named = {key: keys.get(key, key) for key in ("drop", "drop_more", "choose_files", "choose_folder", "uploading")}
    said = {key: words(name) if name else "" for key, name in named.items()}
    said |= {
        "too_large": words("too_large", name="{name}", mb=f"{mb:g}"),
        "upload_failed": words("upload_failed", name="{name}"),
    }
    return {"words": said, "compact": compact, "upload": upload, "mb": mb}
