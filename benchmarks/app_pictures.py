"""Pictures of the app's pages for the documentation: python benchmarks/app_pictures.py FOLDER

Of each page with a recording that was enhanced, in each language, light and dark, as wide as a desk's screen and a
phone's. Needs the extra `app`, playwright, and Debian's chromium.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import soundfile
from playwright.sync_api import Browser, sync_playwright

from saga_sr.audio.resample import resample
from saga_sr.synthesis.dataset import SyntheticAudio

LANGUAGES = {"en": ("en-GB", "Enhance", "done in"), "zh": ("zh-CN", "开始修复", "完成，用时")}
RATE = 44_100
WIDTHS = {"wide": 1280, "narrow": 390}


def main(folder: Path) -> None:
    """Take all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    recording = Path(tempfile.mkdtemp()) / "An old tape.flac"
    music = SyntheticAudio(1, 6 * RATE, RATE, seed=3, channels=2)[0]["hr"]
    soundfile.write(recording, resample(music, RATE, 11_025).clamp(-1, 1).T.numpy(), 11_025)
    words = [sys.executable, "-m", "saga_sr", "app", "open=false", "port=0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as app, sync_playwright() as playwright:
        assert app.stdout is not None
        address = re.findall(r"http://\S+", app.stdout.readline())[0]
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        for language, scheme, width in itertools.product(LANGUAGES, ("light", "dark"), WIDTHS):
            take(browser, address, recording, language, scheme, width, folder)
        browser.close()
        app.terminate()


def take(browser: Browser, address: str, recording: Path, language: str, scheme: str, width: str, folder: Path) -> None:
    """The page Enhance before and after."""
    locale, enhance, done = LANGUAGES[language]
    page = browser.new_page(locale=locale, color_scheme=scheme, viewport={"width": WIDTHS[width], "height": 800})
    page.goto(address)
    page.locator("saga-drop button").first.wait_for()
    page.screenshot(path=folder / f"enhance-empty-{language}-{scheme}-{width}.png", full_page=True)
    page.locator("saga-drop input.files").set_input_files(recording)
    page.get_by_role("button", name=enhance, exact=True).click()
    page.get_by_text(re.compile(done)).wait_for()
    page.wait_for_timeout(3000)  # until the spectrograms are drawn
    page.screenshot(path=folder / f"enhance-{language}-{scheme}-{width}.png", full_page=True)
    page.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
