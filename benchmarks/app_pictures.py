"""Pictures of the app's pages for the documentation: python benchmarks/app_pictures.py FOLDER

Of the pages Enhance, Inspect and Compare with something in them, in each language, light and dark, as wide as a desk's
screen and a phone's. Needs the extra `app`, playwright, and Debian's chromium.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import soundfile
from playwright.sync_api import Browser, Page, sync_playwright

from saga_sr.app.site import PAGES
from saga_sr.app.words import LANGUAGES, Words
from saga_sr.audio.resample import resample
from saga_sr.synthesis.dataset import SyntheticAudio

RATE = 44_100
WIDTHS = {"wide": 1280, "narrow": 390}


def main(folder: Path) -> None:
    """Take all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    shared = Path(tempfile.mkdtemp())
    recording = shared / "An old tape.flac"
    music = SyntheticAudio(1, 6 * RATE, RATE, seed=3, channels=2)[0]["hr"]
    soundfile.write(recording, resample(music, RATE, 11_025).clamp(-1, 1).T.numpy(), 11_025)
    program = [sys.executable, "-m", "saga_sr"]
    subprocess.run([*program, "evaluate", "clips=2", "examples=1", f"output={shared}/evaluation"], check=True)
    words = [*program, "app", "open=false", "port=0", f"read={shared}", f"write={shared}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as app, sync_playwright() as playwright:
        try:
            assert app.stdout is not None
            address = re.findall(r"http://\S+", app.stdout.readline())[0]
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
            for language, scheme, width in itertools.product(LANGUAGES, ("light", "dark"), WIDTHS):
                Pictures(browser, address, language, scheme, width, folder).take(recording)
        finally:
            app.terminate()


class Pictures:
    """Those in one language, of one colour and one width."""

    def __init__(self, browser: Browser, address: str, language: str, scheme: str, width: str, folder: Path) -> None:
        self._words = Words(language, *(table for _, table, _ in PAGES))
        self._folder, self._end = folder, f"{language}-{scheme}-{width}.png"
        self._page: Page = browser.new_page(
            locale=LANGUAGES[language][1], color_scheme=scheme, viewport={"width": WIDTHS[width], "height": 800}
        )
        self._page.goto(address)
        self._page.locator("saga-drop button").first.wait_for()

    def take(self, recording: Path) -> None:
        """All of them."""
        self._shoot("enhance-empty")
        self._page.locator("saga-drop input.files").set_input_files(recording)
        self._press("run")
        self._page.locator("saga-recordings").get_by_text(
            re.compile(self._words("done", time=".*", speed=".*"))
        ).wait_for()
        self._page.wait_for_timeout(3000)  # until the spectrograms are drawn
        self._shoot("enhance")
        self._inspect()
        self._compare()
        self._page.close()

    def _inspect(self) -> None:
        self._open("inspect")
        self._press("inspect_look")
        self._page.get_by_text(self._words("costs"), exact=True).wait_for()
        self._page.get_by_role("button", name=self._words("convert")).first.click()
        self._page.get_by_role("button", name=self._words("convert_download")).wait_for()
        self._shoot("inspect")

    def _compare(self) -> None:
        self._open("compare_page")
        self._page.get_by_label(self._words("blind_changes")).last.fill("seed=1")
        self._shoot("compare-form")
        self._page.get_by_label(self._words("blind_trials")).fill("3")
        self._press("blind_start")
        for trial in (1, 2, 3):
            self._page.get_by_text(self._words("blind_trial", n=trial, count=3)).wait_for()
            if trial == 2:
                self._shoot("compare-blind")
            self._press("blind_is_a")
        self._page.get_by_role("heading", name=self._words("blind_result")).wait_for()
        self._page.get_by_label(self._words("report"), exact=True).first.click()
        self._page.get_by_role("option").first.click()
        self._page.frame_locator("iframe").get_by_role("heading").first.wait_for()
        self._shoot("compare")

    def _open(self, title: str) -> None:
        self._page.get_by_role("tab", name=self._words(title)).click()

    def _press(self, name: str) -> None:
        self._page.get_by_role("button", name=self._words(name), exact=True).click()

    def _shoot(self, name: str) -> None:
        self._page.wait_for_timeout(800)  # what moves comes to rest
        self._page.screenshot(path=self._folder / f"{name}-{self._end}", full_page=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
