"""The app as a program of its own, and pages of it in a browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from programs import Running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STARTS_WITHIN_S, SHOWS_WITHIN_S = 120, 60
# That a test of the app starts.
RUNS = 2
ADDRESS = re.compile(r"http://\S+/")


@dataclass
class App:
    """A running app.

    Attributes:
        folder: that it may read from and write to.
        log: what it has said since it was started last.
    """

    folder: Path
    log: Path
    words: tuple[str, ...]
    address: str = ""
    process: Running | None = None

    def start(self) -> None:
        """Start it, once more after it has ended."""
        self.log.write_text("")
        process = self.process = Running(
            "-m", "saga_sr", "app", "open=false", "port=0", f"read={self.folder}", f"write={self.folder}", *self.words,
            stdout=self.log, stderr=self.log, spares=RUNS,
        )  # fmt: skip
        within(STARTS_WITHIN_S, lambda: process.poll() is not None or ADDRESS.search(self.log.read_text()))
        found = ADDRESS.search(self.log.read_text())
        assert found, self.log.read_text()
        self.address = found[0]

    def end(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()


@contextmanager
def running_app(folder: Path, *words: str) -> Iterator[App]:
    """`saga-sr app WORDS` at a free port, ended afterwards."""
    app = App(folder / "shared", folder / "app.log", words)
    app.folder.mkdir()
    try:
        app.start()
        yield app
    finally:
        app.end()


def within(seconds: float, happened: Callable[[], object]) -> None:
    """Wait until something has `happened`.

    Raises:
        AssertionError: it has not, so late.
    """
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"nothing after {seconds} s"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app with the bundled model, for all tests of a module."""
    if find_spec("gradio") is None:
        pytest.skip("needs the extra: pip install -e '.[app]'")
    with running_app(tmp_path_factory.mktemp("app")) as running:
        yield running


@dataclass
class Visit:
    """A page of the app, open in a window of its own.

    Attributes:
        address: of the app.
        requests: all addresses that it asked for.
        errors: of its scripts, and what its console calls errors.
    """

    page: Page
    address: str
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add(self, *files: Path) -> None:
        """Choose files, and wait until they are there."""
        before = self.page.locator("saga-recordings li").count()
        self.page.locator("saga-drop input.files").set_input_files(files)
        self.page.locator("saga-recordings li").nth(before + len(files) - 1).wait_for()

    def drop(self, path: Path) -> None:
        """Drop a file or a folder on the page, as from the desk."""
        box = self.page.locator("saga-drop .zone").first.bounding_box()
        assert box is not None
        at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        devtools = self.page.context.new_cdp_session(self.page)
        dropped = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            devtools.send("Input.dispatchDragEvent", {"type": kind, **at, "data": dropped})

    def open(self, tab: str) -> None:
        """Go to the page called `tab`."""
        self.page.get_by_role("tab", name=tab).click()

    def press(self, name: str) -> None:
        """Press the button called `name`."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def see(self, text: str | re.Pattern[str]) -> None:
        """Wait until `text` is there to be seen."""
        self.page.get_by_text(text).first.wait_for()

    def saved(self, name: str, folder: Path) -> Path:
        """What is downloaded by the button called `name`."""
        with self.page.expect_download() as download:
            self.press(name)
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path


@pytest.fixture
def visits(chromium: Browser, app: App) -> Iterator[Callable[..., Visit]]:
    """Opens a page of the app in a new window; its keywords are those of Playwright's contexts."""
    contexts = []

    def visit(path: str = "", **settings: Any) -> Visit:
        context = chromium.new_context(**{"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, **settings})
        context.set_default_timeout(1000 * SHOWS_WITHIN_S)
        contexts.append(context)
        visit = Visit(context.new_page(), app.address)
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
        visit.page.on("console", lambda said: visit.errors.append(said.text) if said.type == "error" else None)
        visit.page.goto(app.address + path)
        visit.page.locator("saga-drop button").first.wait_for()
        return visit

    yield visit
    for context in contexts:
        context.close()
