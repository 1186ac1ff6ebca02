"""A real browser, and a server for pages that tests make up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-gpu"]
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".wav": "audio/wav"}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright."""
    if find_spec("playwright") is None:
        pytest.skip("needs a browser: pip install playwright")
    if not CHROMIUM.exists():
        pytest.skip("needs a browser: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def serious_findings() -> Callable[[Any], list[str]]:
    """What axe finds on a page that is serious or critical, a line each."""
    if find_spec("axe_playwright_python") is None:
        pytest.skip("needs axe: pip install axe-playwright-python")
    script = (resources.files("axe_playwright_python") / "axe.min.js").read_text()

    def find(page: Any) -> list[str]:
        page.evaluate(script)
        findings = page.evaluate("() => axe.run(document)")["violations"]
        return [
            f"{finding['id']}: {finding['help']}: {[node['html'] for node in finding['nodes']]}"
            for finding in findings
            if finding["impact"] in ("serious", "critical")
        ]

    return find


class Site:
    """What a server gives out by path, and which paths it was asked for.

    Attributes:
        files: content by path; what is called with the path where it is a function; folders by a path that ends in `/`.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes | Callable[[str], bytes] | Path] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                site.asked.append(path)
                content = site.content(path)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Type", TYPES.get(Path(path).suffix or ".html", "application/octet-stream"))
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def content(self, path: str) -> bytes | None:
        """What lies at a path; None for nothing."""
        folder = next((folder for folder in self.files if folder.endswith("/") and path.startswith(folder)), "")
        found = self.files.get(path, self.files.get(folder))
        if isinstance(found, Path):
            file = found / path.removeprefix(folder)
            return file.read_bytes() if file.is_file() else None
        return found(path) if callable(found) else found


@pytest.fixture
def site() -> Iterator[Site]:
    """A server on this machine, as long as a test runs."""
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, daemon=True)
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()
