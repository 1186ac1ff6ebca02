"""The pages Inspect and Compare, in a browser and by programs."""

from __future__ import annotations

import csv
import shutil
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
import soundfile
from browser import Site
from media import music
from running_app import App, Visit, within
from scipy.stats import binomtest

from saga_sr.packages.package import load_package

pytestmark = pytest.mark.slow

CHINESE = {"locale": "zh-CN", "viewport": {"width": 390, "height": 800}, "color_scheme": "dark"}


def open_page(visit: Visit, name: str) -> None:
    visit.page.get_by_role("tab", name=name).click()


def assert_fit_for_all(visit: Visit, findings: Callable[[Any], list[str]], app: App) -> None:
    """A page that is as wide as a phone, of which axe finds nothing serious, and that asks for nothing elsewhere."""
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert findings(visit.page) == []
    assert visit.errors == []
    assert all(address.startswith((app.address, "data:", "blob:")) for address in visit.requests)


def test_a_model_is_looked_into_and_converted(
    visits: Callable[..., Visit], app: App, package: Path, tmp_path: Path
) -> None:
    shutil.copytree(package, app.folder / "tiny", dirs_exist_ok=True)
    visit = visits()
    open_page(visit, "Inspect")
    visit.page.get_by_label("A model").fill(str(app.folder / "tiny"))
    visit.press("Show what it holds")
    visit.see("a model package, for model=PATH")
    visit.page.get_by_role("rowheader", name="backbone.to_tokens.weight").wait_for()
    assert visit.page.get_by_label("The same on the command line").first.input_value().endswith("tiny")
    visit.page.get_by_role("button", name="Convert it").click()
    with zipfile.ZipFile(visit.saved("Convert and save as ZIP", tmp_path)) as archive:
        archive.extractall(tmp_path)
    assert load_package(tmp_path / "tiny-float32").sample_rate == 44_100


def test_what_is_wrong_with_a_file_is_one_sentence(
    visits: Callable[..., Visit], app: App, tmp_path: Path, serious_findings: Callable[[Any], list[str]]
) -> None:
    hostile = tmp_path / "<img src=x onerror=stolen=1>.ckpt"
    hostile.write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    visit = visits(**CHINESE)
    open_page(visit, "查看")
    visit.press("查看内容")
    visit.see("开销")
    assert_fit_for_all(visit, serious_findings, app)
    visit.page.locator("saga-drop input.files").last.set_input_files(hostile)
    visit.see(f"无法读取 {hostile.name}：文件已损坏，或含有张量以外的内容（可能是代码）")
    assert visit.page.evaluate("window.stolen") is None


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("old") / "old.wav"
    soundfile.write(path, music(2, 8000, 8000).T, 8000)
    return path


def test_a_blind_test_of_five_trials(visits: Callable[..., Visit], app: App, old: Path, tmp_path: Path) -> None:
    visit = visits()
    open_page(visit, "Compare")
    page = visit.page
    page.locator("saga-drop input.files").last.set_input_files(old)
    within(30, lambda: page.get_by_label("Recording").input_value() == "old.wav")
    page.get_by_label("Trials").fill("5")
    page.get_by_label("Changed settings").last.fill("seed=1")
    visit.press("Begin the test")
    visit.see("Trial 1 of 5")
    visit.press("Play")
    page.wait_for_function("() => document.querySelector('saga-blind').playback.position() > 4000")
    visit.press("X")
    assert page.evaluate("document.querySelector('saga-blind').playback.listen") == "x"
    for trial in range(1, 6):
        visit.see(f"Trial {trial} of 5")
        # Who compares the samples knows; all but the last answer are right.
        key = page.evaluate("document.querySelector('saga-blind').data.id")
        heard = (page.request.get(f"{app.address}saga/blind/{key}/{name}/0.wav") for name in ("a", "b", f"x{trial}"))
        a, b, x = (soundfile.read(BytesIO(answer.body()))[0] for answer in heard)
        assert np.array_equal(x, a) != np.array_equal(x, b)
        visit.press("X is A" if np.array_equal(x, a) == (trial < 5) else "X is B")
    visit.see("4 of 5")
    expected = binomtest(4, 5, 0.5, alternative="greater").pvalue
    visit.see(f"{expected:.3g}")
    visit.see("saga-sr-mini seed=1")
    saved = [*csv.DictReader(visit.saved("Save the answers (CSV)", tmp_path).open())]
    assert [row["right"] for row in saved] == ["1", "1", "1", "1", "0"]
    assert {saved[0]["a"], saved[0]["b"]} == {"saga-sr-mini", "saga-sr-mini seed=1"}
    assert visit.errors == []


def test_a_report_opens_inside_and_nothing_of_it_runs(
    visits: Callable[..., Visit], app: App, site: Site, serious_findings: Callable[[Any], list[str]]
) -> None:
    study = Path(mkdtemp(dir=app.folder))
    elsewhere = f"{site.url}/x.png"
    (study / "report.html").write_text(
        f"<h1>Means</h1><script>document.body.append('it ran')</script><img src={elsewhere}>"
        f"<style>body {{ background: url({elsewhere}) }}</style>"
    )
    (study / "metrics.json").write_text("{}")
    (study / "comparison.html").symlink_to("/etc/passwd")
    (study / "comparison.csv").touch()
    visit = visits(**CHINESE)
    open_page(visit, "对比")
    visit.page.get_by_label("报告").first.click()
    visit.page.get_by_role("option", name=f"shared/{study.name} · 评估").click()
    assert visit.page.get_by_role("option", name="训练对比").count() == 0
    frame = visit.page.frame_locator("iframe.saga-frame")
    frame.get_by_role("heading", name="Means").wait_for()
    assert frame.get_by_text("it ran").count() == 0
    assert site.asked == []
    # The browser also names what it has refused to fetch.
    visit.errors.clear()
    visit.requests[:] = [address for address in visit.requests if address != elsewhere]
    assert_fit_for_all(visit, serious_findings, app)


def test_programs_can_do_all_of_it(app: App, old: Path, package: Path, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    client = Client(app.address, verbose=False)
    shutil.copy(package / "model.safetensors", tmp_path / "alone.safetensors")
    name = client.predict(handle_file(str(tmp_path / "alone.safetensors")), api_name="/add_weights")
    with pytest.raises(Exception, match=r"alone\.safetensors is of no layout"):
        client.predict(name, api_name="/inspect")
    found = client.predict("saga-sr-mini", api_name="/inspect")
    assert found["cost"]["sample_rate"] == 44_100 and found["tensors"] and found["parts"]
    made = client.predict(
        "saga-sr-mini", f"{app.folder}/{tmp_path.name}", {"dtype": "float16"}, api_name="/export_into"
    )
    assert load_package(made[0]).sample_rate == 44_100
    (recording,) = client.predict([handle_file(str(old))], api_name="/add")
    ways = ({"model": "saga-sr-mini"}, {"changes": {"seed": 1}})
    state = client.predict(recording["id"], *ways, 2, api_name="/blind_test")
    assert state["state"] == "listening" and "result" not in state and "seed" not in str(state)
    client.predict(1, "a", api_name="/blind_answer")
    over = client.predict(2, "a", api_name="/blind_answer")
    assert over["state"] == "over" and over["result"]["right"] in (0, 1, 2)
    assert Path(client.predict(api_name="/blind_save")).read_text().count("\n") == 3
    client.close()
