"""The page Train, in a browser: real trainings, tiny."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
import soundfile
from conftest import QUICK
from media import music
from programs import Running
from running_app import App, Visit, within

from saga_sr.app.run_process import last_words, process_of
from saga_sr.core.run_folder import read_record

pytestmark = pytest.mark.slow
# As long as it is not stopped it goes on, and what is waited for comes soon.
CHANGES = [
    *(change for change in QUICK if "pool" not in change),
    "data.num_workers=0", "trainer.max_steps=1000000", "trainer.val_check_interval=20",
    "callbacks.newest.every=1000000",
]  # fmt: skip
# A process starts, on a machine that does other things too.
WITHIN_S = 180


@pytest.fixture(scope="module")
def recordings(app: App) -> Path:
    """A folder of which nothing is left above some 8 kHz, with a file that is none."""
    folder = app.folder / "music <img src=x onerror=alert(1)>"
    folder.mkdir()
    for number in range(4):
        soundfile.write(folder / f"{number}.flac", music(1, 32_000, 16_000, seed=number).T, 16_000)
    (folder / "<b>bad<b>.mp3").write_bytes(b"nothing")
    return folder


@pytest.fixture
def trained(app: App) -> Iterator[Callable[[str], Path]]:
    """The folder of a run by its name; what still trains there is ended, and what it has said is told of a failure."""
    folders: list[Path] = []

    def folder(name: str) -> Path:
        folders.append(app.folder / name)
        return folders[-1]

    yield folder
    for one in folders:
        print(one.name, process_of(one), read_record(one), last_words(one))
        if process := process_of(one):
            process.kill()
            process.wait()
        rmtree(one, ignore_errors=True)  # for the test's second try
    print(app.log.read_text()[-4000:])


def at_train(visit: Visit, name: str = "Train") -> Any:
    visit.page.set_default_timeout(1000 * WITHIN_S)
    visit.open(name)
    return visit.page


def chosen(page: Any, box: str, option: str) -> None:
    """Choose `option` by its first letters, as they are typed."""
    field = page.get_by_label(box, exact=True)
    field.click()
    field.fill(option)
    field.press("Enter")


def test_a_run_is_prepared_started_watched_stopped_resumed_compared_and_tried(
    visits: Callable[..., Visit], app: App, recordings: Path, trained: Callable[[str], Path]
) -> None:
    mine, elsewhere = trained("mine"), trained("elsewhere")
    short = [*QUICK, "trainer.max_steps=20", "trainer.val_check_interval=10", f"hydra.run.dir={elsewhere}"]
    Running("-m", "saga_sr", "train", "experiment=demo", *short)

    visit = visits()
    page = at_train(visit)
    page.get_by_label("Name of the run").fill("mine")
    page.get_by_label("A folder of recordings on this machine").fill(str(recordings))
    changes = page.get_by_label("Changed settings, a line each")
    changes.fill("optimizer.lt=1")
    visit.see("There is no setting optimizer.lt; the nearest is optimizer.lr.")
    changes.fill("\n".join(CHANGES))
    chosen(page, "A setting", "optimizer.lr")
    within(WITHIN_S, lambda: page.get_by_label("Its value", exact=True).input_value() == "0.002")
    chosen(page, "Its value", "0.003")
    visit.press("Change it")
    command = page.get_by_label("The same on the command line").last
    within(WITHIN_S, lambda: command.input_value().endswith(f"optimizer.lr=0.003 hydra.run.dir={mine}"))
    visit.see("Ready to start.")
    visit.press("What it will cost")
    page.locator("dt", has_text="Memory of a step").wait_for()

    visit.press("Start training")
    rows = page.locator("saga-runs tbody tr")
    row = rows.filter(has_text="mine").first
    row.get_by_text("training", exact=True).wait_for()
    for curve in ("train/loss", "val/lsd_hf"):
        page.locator("saga-runs figure", has_text=curve).wait_for()
    page.locator("saga-runs dt", has_text="CPU").wait_for()
    page.locator("saga-player:visible").get_by_text("levels matched").wait_for()  # so both clips could be read

    visit.page.context.close()
    app.end()
    app.start()
    visit = visits()
    page = at_train(visit)
    rows = page.locator("saga-runs tbody tr")
    row = rows.filter(has_text="mine").first
    row.get_by_text("training", exact=True).wait_for()
    rows.filter(has_text="elsewhere").get_by_text("finished").wait_for()
    row.get_by_role("button", name="Stop: mine").click()
    row.get_by_text("stopped", exact=True).wait_for()
    assert process_of(mine) is None
    visit.see(re.compile("Stopped by SIGTERM at step"))
    row.get_by_role("button", name="Resume: mine").click()
    row.get_by_text("training", exact=True).wait_for()
    # Both at once, before the page has answered to the first.
    page.locator("saga-runs").evaluate("runs => runs.shadowRoot.querySelectorAll('input').forEach(one => one.click())")
    loss = page.locator("saga-runs figure", has_text="train/loss")
    within(WITHIN_S, lambda: loss.locator(".key").count() == 2)
    row.get_by_role("button", name="Stop: mine").click()
    row.get_by_text("stopped", exact=True).wait_for()
    record = read_record(mine)
    assert record is not None and record["attempts"] == 2
    assert all(page.get_by_label(f"Compare: {name}").is_checked() for name in ("mine", "elsewhere"))

    row.get_by_role("button", name="Try in Enhance: mine").click()
    page.get_by_role("tab", name="Enhance", selected=True).wait_for()
    visit.add(recordings / "0.flac")
    within(WITHIN_S, lambda: page.get_by_label("Model", exact=True).input_value().startswith("mine-step-"))
    visit.press("Enhance")
    visit.see(re.compile("done in"))
    assert not visit.errors and all(url.startswith((app.address, "blob:", "data:")) for url in visit.requests)


# What tells a page that it need not listen any more comes late, as on a busy machine.
LATE = """
const ask = window.fetch;
window.fetch = async (...words) => {
  const answer = await ask(...words);
  if (!String(words[0]?.url ?? words[0]).includes("queue/data")) return answer;
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  const late = new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) return controller.close();
      if (decoder.decode(value).includes("close_stream")) {
        window.late = (window.late ?? 0) + 1;
        await new Promise((resolve) => setTimeout(resolve, 1500));
      }
      controller.enqueue(value);
    },
  });
  return new Response(late, { status: answer.status, headers: answer.headers });
};
"""


def test_what_is_asked_while_a_page_stops_listening_is_answered(visits: Callable[..., Visit], app: App) -> None:
    visit = visits()
    page = visit.page
    page.add_init_script(LATE)
    page.goto(app.address)
    page.locator("saga-drop button").first.wait_for()
    visit.open("Train")
    visit.see("Ready to start.")
    stopped = page.evaluate("window.late")
    page.get_by_label("Name of the run").fill("one")
    page.wait_for_function("(before) => window.late > before", arg=stopped)
    page.get_by_label("Name of the run").fill("another")
    command = page.get_by_label("The same on the command line").last
    within(WITHIN_S, lambda: command.input_value().endswith("another"))


def test_what_is_ticked_is_told_until_the_page_knows(visits: Callable[..., Visit]) -> None:
    told = visits().page.evaluate("""async () => {
      const runs = document.createElement("saga-runs");
      document.body.append(runs);
      const told = [];
      runs.addEventListener("compare", (event) => told.push(event.detail.compared));
      const rows = ["a", "b"].map((key) => ({ key, name: key, changes: "", cells: [], actions: [] }));
      const show = (...compared) => { runs.data = { rows, columns: [], compared }; };
      show();
      runs.shadowRoot.querySelectorAll("input").forEach((one) => one.click());
      show("a");  // the answer to the first, which comes last
      await new Promise((resolve) => setTimeout(resolve, 2100));
      show("a");
      show("b", "a");
      await new Promise((resolve) => setTimeout(resolve, 2100));
      show("b", "a");
      return told;
    }""")
    assert told == [["a"], ["a", "b"], ["a", "b"]]


def test_recordings_are_checked_on_a_phone_in_chinese(
    visits: Callable[..., Visit], recordings: Path, serious_findings: Callable[[Any], list[str]]
) -> None:
    visit = visits("zh/", locale="zh-CN", viewport={"width": 390, "height": 844})
    page = at_train(visit, "训练")
    page.get_by_label("本机上的录音文件夹").fill(str(recordings))
    visit.press("检查录音")
    visit.see(re.compile(r"这些数据止于 [78](\.5)? kHz"))
    assert page.locator(".saga-bars tr").count() >= 4  # a bar for each 2 kHz
    visit.see("<b>bad<b>.mp3")
    assert page.locator(".saga-report b, .saga-report img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious_findings(page) == []
    page.get_by_label("本机上的录音文件夹").fill("/etc")
    visit.see(re.compile("/etc 不在本应用可用的文件夹"))
    for path in ("saga/run/0000/0/output.flac", "saga/run/0000/0/..%2F..%2Frun.json.flac"):
        assert page.request.get(visit.address + path).status == 404
    assert not visit.errors
