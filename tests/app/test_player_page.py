"""The player as a part of a page: on phones, by keyboard, in Chinese, for everyone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from player_page import Opening, tone

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(opened: Opening, width: int) -> None:
    player = opened(width, has_touch=True, is_mobile=True)
    sound = np.stack([tone(500, 4)] * 2, axis=1)
    player.show(sound, sound, result_gain_db=0)
    player.button("Difference").click()
    player.drawn("difference")
    assert player.page.evaluate("document.documentElement.scrollWidth") == width
    for name in ("Play", "Input", "Result", "What was added", "Loop", "Difference", "Zoom in", "Whole recording"):
        box = player.button(name).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] >= 30


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_stands_in_the_way_of_anyone(
    opened: Opening, serious_findings: Callable[[Any], list[str]], scheme: str
) -> None:
    player = opened(color_scheme=scheme)
    sound = np.stack([tone(500, 4)] * 2, axis=1)
    player.show(sound, sound, result_gain_db=0)
    player.ask("(player.setLoop(1, 2), player.zoom(0.5, 3))")
    player.button("Difference").click()
    player.drawn("difference")
    assert serious_findings(player.page) == []
    background = player.page.locator(".player").evaluate("root => getComputedStyle(root).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 28)"}[scheme]


def test_a_page_says_by_its_class_that_it_is_dark(opened: Opening) -> None:
    player = opened(color_scheme="light")
    player.show(tone(500, 2))
    player.page.evaluate("document.body.classList.add('dark')")
    player.until("player.hasAttribute('dark')")


def test_all_is_reached_by_the_keyboard(opened: Opening) -> None:
    player = opened()
    player.show(tone(500, 4), tone(500, 4), result_gain_db=0)
    names = set()
    for _ in range(20):
        player.page.keyboard.press("Tab")
        script = "() => { const at = document.querySelector('saga-player').shadowRoot.activeElement;"
        names.add(player.page.evaluate(script + " return at && (at.getAttribute('aria-label') ?? at.textContent); }"))
    assert {"Play", "Input", "Result", "What was added", "Loop", "Difference", "Zoom in", "Position"} <= names
    assert any(name and name.startswith("Content ends") for name in names)
    player.page.get_by_role("slider", name="Position").focus()
    player.page.keyboard.press("Space")
    player.until("player.playing")
    player.page.keyboard.press("Space")
    player.until("!player.playing")


def test_it_speaks_chinese(opened: Opening) -> None:
    player = opened()
    sound = np.stack([tone(500, 4)] * 2, axis=1)
    player.show(sound, sound, language="zh", result_gain_db=0)
    for name in ("播放", "输入", "结果", "新增部分", "循环", "差异", "放大", "缩小", "全部显示"):
        assert player.button(name).is_visible()
    assert player.page.get_by_role("slider", name="频带上限, 左, 右").is_visible()
    text = player.page.locator(".player").inner_text()
    assert not [word for word in text.split() if word.isascii() and word.isalpha() and len(word) > 4]


def test_names_hold_no_markup_and_what_cannot_be_read_is_said(opened: Opening) -> None:
    player = opened()
    nasty = "<img src=x onerror='window.broken=1'>"
    player.listen_for("playerror")
    player.show(tone(500, 2), name=nasty, channels=[nasty], input={"url": "/nothing.wav"})
    player.page.get_by_text("The audio could not be read").wait_for()
    assert player.heard("playerror")
    assert player.page.evaluate("window.broken") is None and player.page.locator("saga-player img").count() == 0
    player.give(None)
    assert player.page.locator(".player").count() == 0
