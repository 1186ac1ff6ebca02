"""The app in Chinese, in the dark, on a phone, by keyboard, for several at once; nothing leaves the machine."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from media import encoded, music
from running_app import App, Visit, within

from saga_sr.files.reading import inspect_audio

pytestmark = pytest.mark.slow

KINDS = {"a.mp3": "mp3", "b.wav": "mulaw.wav", "c.m4a": "m4a"}


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of recordings, with what is none, and a folder in it."""
    folder = tmp_path_factory.mktemp("songs")
    (folder / "below").mkdir()
    for name, kind in KINDS.items():
        (folder / name).write_bytes(encoded(music(1, 16_000, 16_000), 16_000, kind, 64_000))
    (folder / "below" / "d.flac").write_bytes(encoded(music(1, 16_000, 16_000), 16_000, "flac", 64_000))
    return folder


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute in stereo, of which nothing is left above 4 kHz."""
    path = tmp_path_factory.mktemp("minute") / "minute.wav"
    soundfile.write(path, music(2, 60 * 8000, 8000).T, 8000)
    return path


@pytest.fixture(scope="module")
def long(minute: Path) -> Path:
    """A quarter of an hour, which takes longer to restore than to say stop."""
    path = minute.parent / "long.wav"
    audio, rate = soundfile.read(minute)
    with soundfile.SoundFile(path, "w", rate, 2) as file:
        for _ in range(15):
            file.write(audio)
    return path


@pytest.mark.parametrize(("locale", "scheme"), [("en-GB", "light"), ("zh-CN", "dark")])
def test_every_one_can_use_it(
    visits: Callable[..., Visit], songs: Path, app: App, locale: str, scheme: str,
    serious_findings: Callable[[Any], list[str]],
) -> None:  # fmt: skip
    chinese = locale == "zh-CN"
    visit = visits(locale=locale, color_scheme=scheme, viewport={"width": 390, "height": 800})
    page = visit.page
    assert page.evaluate("document.documentElement.lang") == ("zh-CN" if chinese else "en")
    assert serious_findings(page) == []
    visit.add(songs / "a.mp3")
    visit.press("开始修复" if chinese else "Enhance")
    visit.see(re.compile("完成，用时" if chinese else "done in"))
    page.get_by_text("高级设置" if chinese else "Advanced settings").click()
    visit.see("求解器的步数" if chinese else "steps of the solver")
    command = page.get_by_label("等效的命令行" if chinese else "The same on the command line").first
    assert "saga-sr enhance a.mp3 enhanced/ format=mp3" in command.input_value()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious_findings(page) == []
    assert visit.errors == []
    assert {address.partition(":")[0] for address in visit.requests} <= {"http", "data", "blob"}
    assert all(address.startswith((app.address, "data:", "blob:")) for address in visit.requests)


def test_the_keyboard_is_enough(visits: Callable[..., Visit], songs: Path) -> None:
    visit = visits()
    visit.add(songs / "a.mp3", songs / "b.wav")
    page = visit.page

    def reach(name: str) -> None:
        page.evaluate("document.activeElement.blur()")
        focus = """() => {
          let element = document.activeElement;
          while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
          return element.getAttribute("aria-label") || element.innerText;
        }"""
        for _ in range(60):
            page.keyboard.press("Tab")
            if name in page.evaluate(focus):
                return
        raise AssertionError(f"{name} is not reached")

    reach("b.wav")
    page.keyboard.press("Enter")
    within(30, lambda: page.locator("saga-recordings [aria-pressed=true] .name").inner_text() == "b.wav")
    reach("Remove a.mp3")
    page.keyboard.press("Enter")
    page.get_by_text("a.mp3").wait_for(state="detached")
    reach("Enhance")
    page.keyboard.press("Enter")
    visit.see(re.compile("done in"))


def test_a_folder_that_is_dropped_becomes_a_zip_or_a_folder_of_the_same_formats(
    visits: Callable[..., Visit], app: App, songs: Path, tmp_path: Path
) -> None:
    visit = visits()
    visit.drop(songs)
    visit.page.locator("saga-recordings li").nth(3).wait_for()
    visit.press("Enhance")
    within(120, lambda: visit.page.get_by_text(re.compile("done in")).count() == 4)
    with zipfile.ZipFile(visit.saved("All as ZIP", tmp_path)) as archive:
        assert sorted(archive.namelist()) == [*KINDS, "d.flac"]
        archive.extractall(tmp_path / "all")
    for name in (*KINDS, "d.flac"):
        assert inspect_audio(tmp_path / "all" / name).sample_rate == 44_100
    visit.page.get_by_label("A folder on this machine", exact=True).fill(str(app.folder / "enhanced"))
    visit.press("Save all there")
    visit.see(f"4 files are in {app.folder}/enhanced.")
    for name in (*KINDS, "d.flac"):
        assert (app.folder / "enhanced" / name).read_bytes() == (tmp_path / "all" / name).read_bytes()


def test_it_tells_how_far_it_is_and_stops_when_it_is_told_to(visits: Callable[..., Visit], long: Path) -> None:
    visit = visits()
    visit.add(long)
    visit.press("Enhance")
    visit.see(re.compile(r"\d+ %, [\d.]+ × real time, .* left"))
    assert visit.page.get_by_text(re.compile("done in")).count() == 0
    visit.press("Cancel")
    visit.see("cancelled")
    visit.page.get_by_role("button", name="Enhance", exact=True).wait_for()


def test_two_at_once_take_turns_and_know_their_places(visits: Callable[..., Visit], long: Path, songs: Path) -> None:
    first, second = visits(), visits()
    first.add(long)
    second.add(songs / "a.mp3")
    first.press("Enhance")
    first.see(re.compile("× real time"))
    second.press("Enhance")
    second.see("1 before it in the queue")
    first.press("Cancel")
    second.see(re.compile("done in"))


def test_an_edge_that_is_dragged_is_what_is_restored_above(visits: Callable[..., Visit], minute: Path) -> None:
    visit = visits()
    visit.add(minute)
    edge, mouse = visit.page.get_by_role("slider", name="Content ends"), visit.page.mouse
    edge.scroll_into_view_if_needed()
    line, picture = edge.bounding_box(), visit.page.locator("saga-player .plot.input").bounding_box()
    assert line is not None and picture is not None
    x, y = line["x"] + line["width"] / 3, line["y"] + line["height"] / 2
    mouse.move(x, y)
    mouse.down()
    mouse.move(x, y + picture["height"] * 500 / 22_050, steps=5)
    mouse.up()
    visit.see("edges corrected by you")
    visit.page.get_by_text("Advanced settings").click()
    command = visit.page.get_by_label("The same on the command line").first
    within(30, lambda: "cutoff_hz=[3" in command.input_value())


def test_an_hour_is_seen_without_being_fetched_and_plays_from_its_middle(
    visits: Callable[..., Visit], tmp_path: Path
) -> None:
    path, minute = tmp_path / "hour.flac", music(1, 60 * 8000, 8000)
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        for _ in range(60):
            file.write(minute.T)
    visit = visits()
    visit.page.set_default_timeout(180_000)
    visit.add(path)
    visit.page.wait_for_function("""() => {
      const canvas = document.querySelector("saga-player")?.shadowRoot.querySelector(".plot.input canvas");
      if (!canvas || canvas.width < 300) return false;
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, 1);
      return data.every((value, i) => i % 4 < 3 || value === 255);
    }""")
    assert not [url for url in visit.requests if "/saga/audio/" in url]
    visit.page.evaluate("(player => { player.seek(1800); player.play(); })(document.querySelector('saga-player'))")
    visit.page.wait_for_function("document.querySelector('saga-player').position_s > 1800.2")
    assert len([url for url in visit.requests if "/saga/audio/" in url]) < 10
    assert visit.page.evaluate("performance.memory.usedJSHeapSize") < 100e6 and not visit.errors
