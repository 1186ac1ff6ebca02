"""Pictures of the app's pages for the documentation: python benchmarks/app_pictures.py FOLDER

Of each page with something in it, in each language, light and dark, as wide as a desk's screen and a phone's. Those
that the documentation shows are written into docs/assets, too, in few colours. Needs the extra `app`, playwright,
and Debian's chromium and fonts-noto-cjk.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import soundfile
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from saga_sr.app.site import PAGES
from saga_sr.app.words import LANGUAGES, Words
from saga_sr.audio.resample import resample
from saga_sr.synthesis.dataset import SyntheticAudio

PROGRAM = [sys.executable, "-m", "saga_sr"]
RECORDING = "An old tape.flac"
RATE = 44_100
WIDTHS = {"wide": 1280, "narrow": 390}
ASSETS = Path(__file__).resolve().parents[1] / "docs" / "assets"
SHOWN = {
    "app": "enhance-en-light-wide",
    "app-zh": "enhance-zh-light-wide",
    "app-train": "train-en-light-wide",
    "app-blind": "compare-blind-en-light-wide",
}
COLOURS = 128
# Two trainings of a minute, for the page Train.
SHORT = (
    "experiment=demo backbone.width=64 backbone.depth=2 backbone.heads=2 backbone.kv_heads=1 data.num_samples=32768 "
    "data.pool_clips=32 data.pool_seconds=2 data.batch_size=4 data.epoch_size=256 data.validation_size=4 "
    "statistics_clips=16 trainer.accelerator=cpu trainer.max_steps=240 trainer.max_time=null "
    "trainer.val_check_interval=40 trainer.log_every_n_steps=2"
)
RUNS = {"demo-1": "optimizer.lr=0.002", "demo-2": "optimizer.lr=0.0005"}


# A page opens, or something is computed, on a machine that does other things too.
WITHIN_MS = 180_000
RESTS_MS = 2000


def main(folder: Path) -> None:
    """Take all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    shared = Path(tempfile.mkdtemp())
    fill(shared)
    take(shared, folder)
    for name, picture in SHOWN.items():
        with Image.open(folder / f"{picture}.png") as whole:
            whole.convert("RGB").quantize(COLOURS).save(ASSETS / f"{name}.png", optimize=True)


def fill(shared: Path) -> None:
    """Make what the app has to show: a recording, a report and two runs."""
    music = SyntheticAudio(1, 6 * RATE, RATE, seed=3, channels=2)[0]["hr"]
    soundfile.write(shared / RECORDING, resample(music, RATE, 11_025).clamp(-1, 1).T.numpy(), 11_025)
    subprocess.run([*PROGRAM, "evaluate", "clips=2", "examples=1", f"output={shared}/evaluation"], check=True)
    for name, change in RUNS.items():
        subprocess.run([*PROGRAM, "train", *SHORT.split(), change, f"hydra.run.dir={shared}/{name}"], check=True)


def take(shared: Path, folder: Path) -> None:
    """Take the pictures of an app that has the folder `shared`."""
    words = [*PROGRAM, "app", "open=false", "port=0", f"read={shared}", f"write={shared}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as app, sync_playwright() as playwright:
        try:
            assert app.stdout is not None
            address = re.findall(r"http://\S+", app.stdout.readline())[0]
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
            for language, scheme, width in itertools.product(LANGUAGES, ("light", "dark"), WIDTHS):
                Pictures(browser, address, language, scheme, width, folder).take(shared / RECORDING)
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
        self._page.set_default_timeout(WITHIN_MS)
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
        self._shoot("enhance")
        self._train(recording.parent)
        self._inspect()
        self._compare()
        self._page.close()

    def _train(self, recordings: Path) -> None:
        self._open("train")
        self._page.get_by_label(self._words("data")).fill(str(recordings))
        self._page.get_by_label(self._words("changes")).fill("optimizer.lr=0.001")
        self._press("check")
        self._page.get_by_text(self._words("report_files"), exact=True).wait_for()
        self._press("cost")
        self._page.get_by_text(self._words("step_memory"), exact=True).wait_for()
        self._page.get_by_text(self._words("ready")).wait_for()
        for name in RUNS:
            self._page.get_by_label(f"{self._words('compare')}: {name}").check()
        self._page.locator("saga-player:visible canvas").first.wait_for()
        self._shoot("train")

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
        """Take the picture once nothing moves any more, as a spectrogram does that is being drawn."""
        before, now = b"", self._page.screenshot(full_page=True)
        while now != before:
            self._page.wait_for_timeout(RESTS_MS)
            before, now = now, self._page.screenshot(full_page=True)
        (self._folder / f"{name}-{self._end}").write_bytes(now)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
