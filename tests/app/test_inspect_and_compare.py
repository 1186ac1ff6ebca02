"""The pages Inspect and Compare, in a browser and by programs."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running_app import App, Visit

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
    shutil.copytree(package, app.folder / "tiny")
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
    visit.see(f"{hostile.name} cannot be read: it is damaged, or holds more than tensors, which could be code")
    assert visit.page.evaluate("window.stolen") is None
