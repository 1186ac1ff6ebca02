"""The whole app: its pages in each language, joined into one site and served."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from gradio import processing_utils

from saga_sr.app.audio_routes import PREFIX, audio_routes
from saga_sr.app.compare_api import compare_endpoints
from saga_sr.app.compare_page import compare_page
from saga_sr.app.compare_routes import compare_routes
from saga_sr.app.compare_words import WORDS as COMPARE_WORDS
from saga_sr.app.enhance_api import enhance_endpoints
from saga_sr.app.enhance_page import enhance_page
from saga_sr.app.enhance_words import WORDS as ENHANCE_WORDS
from saga_sr.app.guard import Guard
from saga_sr.app.inspect_api import inspect_endpoints
from saga_sr.app.inspect_page import inspect_page
from saga_sr.app.inspect_words import WORDS as INSPECT_WORDS
from saga_sr.app.run_routes import run_routes
from saga_sr.app.service import Service
from saga_sr.app.setting_words import WORDS as SETTING_WORDS
from saga_sr.app.settings import AppSettings
from saga_sr.app.site_words import WORDS as SITE_WORDS
from saga_sr.app.train_page import train_page
from saga_sr.app.train_words import WORDS as TRAIN_WORDS
from saga_sr.app.words import LANGUAGES, Table, Words
from saga_sr.core.errors import AudioError, ConfigError

STATIC = Path(__file__).parent / "static"
# Where each language is.
PATHS = {"en": "/", "zh": "/zh"}


class Page(Protocol):
    """What stands in a tab."""

    def shown_in(self, tab: gr.Tab) -> None:
        """Say what happens when `tab`, with the page in it, is shown."""


# What makes a page in the Gradio container that it is called in, the words of the page, and the key of its title.
Maker = Callable[[Service, Words, str], Page]
PAGES: Sequence[tuple[Maker, Table, str]] = (
    (enhance_page, ENHANCE_WORDS, "enhance"),
    (train_page, TRAIN_WORDS, "train"),
    (inspect_page, INSPECT_WORDS, "inspect"),
    (compare_page, COMPARE_WORDS, "compare_page"),
)

SYSTEM_FONTS = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "PingFang SC",
    "Microsoft YaHei",
    "sans-serif",
)
ELEMENTS = ("player", "drop", "recordings", "command", "runs", "blind")
# The longest that an answer is waited for in vain.
ASK_EVERY_S = 5.0
HEAD = "".join(f'<script type="module" src="{PREFIX}/static/{name}.js"></script>' for name in ELEMENTS)


def theme() -> gr.themes.Base:
    """Gradio's plainest, in fonts of the system's, with words that can be read by all."""
    plain = gr.themes.Base(
        primary_hue=gr.themes.colors.indigo, neutral_hue=gr.themes.colors.zinc, radius_size=gr.themes.sizes.radius_lg,
        font=SYSTEM_FONTS, font_mono=("ui-monospace", "Consolas", "monospace"),
    )  # fmt: skip
    return plain.set(
        body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_300",
        input_placeholder_color="*neutral_500", input_placeholder_color_dark="*neutral_300",
        button_primary_background_fill="*primary_600", button_primary_background_fill_dark="*primary_300",
        button_primary_background_fill_hover="*primary_700", button_primary_background_fill_hover_dark="*primary_200",
        button_primary_text_color="white", button_primary_text_color_dark="*primary_950",
    )  # fmt: skip


def site(service: Service, password: str | None = None) -> Guard:
    """The app, for a server to run.

    Args:
        password: that everybody has to give; None for none.
    """
    processing_utils.async_ssrf_protected_download = _fetch_nothing
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(audio_routes(service))
    app.include_router(run_routes(service.runs))
    app.include_router(compare_routes(service.blind_tests, service.reports))
    app.mount(f"{PREFIX}/static", StaticFiles(directory=STATIC))
    # The page at / takes all that is not another's.
    for language in sorted(PATHS, key=lambda language: PATHS[language] == "/"):
        blocks = pages(service, language)
        blocks.has_launched = True  # or Gradio would not look where files lie that a user names
        gr.mount_gradio_app(
            app, blocks, PATHS[language],
            footer_links=[], run_history=False, show_error=True, ssr_mode=False, pwa=False, mcp_server=False,
            max_file_size=int(service.settings.upload_mb * 1e6), theme=theme(), css_paths=[STATIC / "site.css"],
            head=f'{HEAD}<script>document.documentElement.lang = "{LANGUAGES[language][1]}";</script>',
        )  # fmt: skip
    return Guard(app, password, service.settings.is_public)


def pages(service: Service, language: str) -> gr.Blocks:
    """All pages in one language."""
    words = Words(language, SITE_WORDS, SETTING_WORDS, *(table for _, table, _ in PAGES))
    upload = f"{PATHS[language].rstrip('/')}/gradio_api/upload"
    with gr.Blocks(title=words("title"), analytics_enabled=False, fill_width=False) as blocks:
        gr.HTML(_header(words, language), apply_default_css=False)
        with gr.Tabs():
            for make, _, title in PAGES:
                with gr.Tab(words(title)) as tab:
                    make(service, words, upload).shown_in(tab)

        def left(request: gr.Request) -> None:
            service.leave(request.session_hash or "")

        blocks.unload(left)
        # Gradio's pages stop listening when they wait for nothing. What is asked just before they hear that they may,
        # is answered to whoever listens next, which the next question brings about; so one is always asked soon.
        gr.Timer(ASK_EVERY_S).tick(
            lambda: None, None, None, trigger_mode="multiple", show_progress="hidden", api_visibility="private",
            concurrency_limit=None,
        )  # fmt: skip
        enhance_endpoints(service)
        inspect_endpoints(service)
        compare_endpoints(service)
    blocks.queue(default_concurrency_limit=8)
    return blocks


def _header(words: Words, language: str) -> str:
    def link(other: str, name: str, code: str) -> str:
        current = ' aria-current="true"' if other == language else ""
        return f'<a href="{PATHS[other].rstrip("/")}/?lang" lang="{code}"{current}>{name}</a>'

    links = " ".join(link(other, name, code) for other, (name, code) in LANGUAGES.items())
    return (
        f'<header class="saga-head"><h1>{words("title")}</h1><p>{words("claim")}</p>'
        f'<nav aria-label="{words("language")}">{links}</nav></header>'
    )


async def _fetch_nothing(url: str, cache_dir: str) -> str:
    """In the place of what Gradio would fetch for whoever names an address as a file.

    Raises:
        AudioError: always.
    """
    raise AudioError("This app fetches nothing from elsewhere; upload the file.")


def serve(settings: AppSettings, password: str | None, root: Path) -> None:
    """Serve the app until the process is told to end.

    Args:
        root: an empty folder for the files of users.

    Raises:
        ConfigError: the address cannot be used.
    """
    listening = _listening(settings)
    port = listening.getsockname()[1]
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    app = site(Service(settings, root), password)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    print(f"saga-sr app is at {address} (Ctrl+C ends it).", flush=True)
    if settings.open:
        threading.Timer(0.5, webbrowser.open, [address]).start()
    server.run(sockets=[listening])


def _listening(settings: AppSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
        listening.listen()  # who reads the address can connect at once, and is answered as soon as the server runs
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"host={settings.host} port={settings.port} cannot be used ({error.strerror or error}); another app may "
            "have it: give another port=, or port=0 for any that is free."
        ) from error
    return listening
