"""The player's pictures in a real browser, as they are on its canvases, and the lines over them."""

from __future__ import annotations

import numpy as np
import pytest
from player_page import NYQUIST, RATE, Opening, tone

pytestmark = pytest.mark.slow


def test_the_spectrogram_has_a_tone_where_it_is_and_both_have_one_scale(opened: Opening) -> None:
    player = opened()
    player.show(tone(5000, 8), tone(5000, 8) + tone(15_000, 8) + tone(10_000, 8, 0.001), result_gain_db=0)
    before, after = player.drawn("input"), player.drawn("result")
    rows, columns, _ = before.shape
    middle = slice(columns // 4, 3 * columns // 4)
    for picture, tones in ((before, [5000]), (after, [5000, 15_000])):
        brightness = picture[:, middle].sum(axis=(1, 2))
        for hz in tones:
            around = brightness[int(rows * (hz - 1000) / NYQUIST) : int(rows * (hz + 1000) / NYQUIST)]
            row = int(rows * (hz - 1000) / NYQUIST) + around.argmax()
            assert (row + 0.5) / rows * NYQUIST == pytest.approx(hz, abs=50)
    at = {hz: int(rows * hz / NYQUIST) for hz in (5000, 10_000, 12_500, 15_000)}
    np.testing.assert_array_equal(before[at[5000], middle], after[at[5000], middle])
    # 40 dB below is darker, nothing is darkest.
    colours = [int(after[at[hz], columns // 2].sum()) for hz in (12_500, 10_000, 15_000)]
    assert colours == sorted({*colours})
    assert before[at[15_000], columns // 2].sum() < 20


def test_spectra_are_those_of_a_reference(opened: Opening) -> None:
    """Against NumPy's transform: two channels at once, each frame's mean power, the louder of two bins a row."""
    player = opened()
    rng = np.random.default_rng(0)
    frames = (0.1 * rng.standard_normal((2, 3, 2048))).astype(np.float32)
    script = """async (channels) => {
        const { columns } = await import("/static/spectrum_worker.js");
        return [...columns(channels.map((samples) => Float32Array.from(samples)), 3)]; }"""
    made = player.page.evaluate(script, frames.reshape(2, -1).tolist())
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
    power = (np.abs(np.fft.rfft(frames * window)) ** 2).mean(axis=(0, 1)) / (window.sum() / 2) ** 2
    expected = 10 * np.log10(power[:1024].reshape(512, 2).max(axis=1))
    np.testing.assert_allclose(np.array(made) / 2 - 127.5, expected, atol=0.26)


def test_the_difference_shows_what_was_added_and_nothing_else(opened: Opening) -> None:
    player = opened()
    before = tone(5000, 6)
    player.show(before, before / 2 + tone(15_000, 6, 0.05))
    player.until("player.gain_db !== null")
    player.button("Difference").click()
    picture = player.drawn("difference")
    rows, columns, _ = picture.shape
    added = picture[int(rows * 15_000 / NYQUIST), columns // 2]
    kept = picture[int(rows * 5000 / NYQUIST), columns // 2]
    assert added[0] > 150 and added[0] > added[2]  # warm: more
    assert kept.max() < 28  # the dark middle: as it was
    player.button("Difference").click()
    assert not player.page.locator(".plot.difference").is_visible()


def test_what_the_pointer_is_on_is_said(opened: Opening) -> None:
    player = opened()
    player.show(tone(5000, 8))
    player.drawn("input")
    box = player.page.locator(".plot.input").bounding_box()
    player.page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] * (1 - 5000 / NYQUIST))
    seconds, khz, level = player.page.locator(".hint").inner_text().split(" · ")
    assert seconds.startswith(("0:01.9", "0:02.0"))
    assert float(khz.removesuffix(" kHz")) == pytest.approx(5, abs=0.1)
    assert level in ("−20 dBFS", "−21 dBFS")  # in between two bins


def test_both_pictures_zoom_and_scroll_together(opened: Opening) -> None:
    player = opened()
    half = np.concatenate([tone(5000, 5), np.zeros(5 * RATE)])
    player.show(half, half, result_gain_db=0)
    player.drawn("input")
    box = player.page.locator(".plot.result").bounding_box()
    player.page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    player.page.keyboard.down("Control")
    player.page.mouse.wheel(0, -300)
    player.page.keyboard.up("Control")
    player.until("player.view.end_s - player.view.begin_s < 5")
    view = player.ask("player.view")
    assert view["begin_s"] + 0.25 * (view["end_s"] - view["begin_s"]) == pytest.approx(2.5, abs=0.02)
    for name in ("input", "result"):
        row = player.drawn(name)[int(512 * 5000 / NYQUIST)]
        assert row[:100].sum() > 1000
    player.ask("player.zoom(6, 8)")
    for name in ("input", "result"):
        assert player.drawn(name).max() < 20
    player.page.mouse.down()
    player.page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2, steps=4)
    player.page.mouse.up()
    assert player.ask("player.view.begin_s") == pytest.approx(5, abs=0.02)
    player.button("Whole recording").click()
    assert player.ask("player.view") == {"begin_s": 0, "end_s": 10}


def test_an_edge_is_dragged_and_told(opened: Opening) -> None:
    player = opened()
    edges = [
        [{"begin_s": 0, "end_s": 4, "hz": 8000}, {"begin_s": 4, "end_s": 8, "hz": 12_000}],
        [{"begin_s": 0, "end_s": 4, "hz": 8000}, {"begin_s": 4, "end_s": 8, "hz": NYQUIST}],
    ]
    data = player.show(np.stack([tone(500, 8)] * 2, axis=1), edges=edges)
    player.listen_for("edgechange")
    plot = player.page.locator(".plot.input").bounding_box()
    both = player.page.get_by_role("slider", name="Content ends, Left, Right, 0:00.0 – 0:04.0")
    assert both.get_attribute("aria-valuetext") == "8.0 kHz"
    line = both.bounding_box()
    assert line["y"] + line["height"] / 2 == pytest.approx(plot["y"] + plot["height"] * (1 - 8000 / NYQUIST), abs=1)
    assert line["width"] == pytest.approx(plot["width"] / 2, abs=2)
    player.page.mouse.move(line["x"] + 40, line["y"] + line["height"] / 2)
    player.page.mouse.down()
    player.page.mouse.move(line["x"] + 60, line["y"] + line["height"] / 2 - plot["height"] * 2000 / NYQUIST, steps=4)
    player.page.mouse.up()
    (told,) = player.heard("edgechange")
    assert (told["section"], told["channels"], told["begin_s"], told["end_s"]) == (0, [0, 1], 0, 4)
    assert told["hz"] == pytest.approx(10_000, abs=100)
    assert [[edge["hz"] for edge in channel] for channel in told["edges"]] == [
        [told["hz"], 12_000],
        [told["hz"], NYQUIST],
    ]
    # What the server sends again without a change of its own undoes nothing; of its own, it does.
    player.give(data)
    assert both.get_attribute("aria-valuenow") == str(round(told["hz"]))
    player.give({**data, "edges": [[{"begin_s": 0, "end_s": 8, "hz": 9000}]] * 2})
    assert player.page.get_by_role("slider", name="Content ends, Left, Right").get_attribute("aria-valuenow") == "9000"


def test_an_edge_is_moved_by_keys_in_one_channel(opened: Opening) -> None:
    player = opened()
    player.show(np.stack([tone(500, 4)] * 2, axis=1))
    player.listen_for("edgechange")
    player.page.get_by_label("Channels shown").select_option("Right")
    edge = player.page.get_by_role("slider", name="Content ends, Right")
    edge.focus()
    for key in ("ArrowUp", "ArrowUp", "Shift+ArrowDown"):
        player.page.keyboard.press(key)
    assert edge.get_attribute("aria-valuetext") == "8.19 kHz"
    player.page.wait_for_function("heard.edgechange.length === 1")
    (told,) = player.heard("edgechange")
    assert (told["channels"], told["hz"]) == ([1], 8190)
    assert [channel[0]["hz"] for channel in told["edges"]] == [8000, 8190]
    player.page.keyboard.press("End")
    assert edge.get_attribute("aria-valuetext") == "full band"


def test_an_edge_is_dragged_by_a_finger(opened: Opening) -> None:
    player = opened(390, has_touch=True, is_mobile=True)
    player.show(tone(500, 4))
    player.listen_for("edgechange")
    plot = player.page.locator(".plot.input").bounding_box()
    line = player.page.get_by_role("slider", name="Content ends").bounding_box()
    assert line["height"] >= 24
    touch = player.page.context.new_cdp_session(player.page)
    x, y = line["x"] + 50, line["y"] + line["height"] / 2
    for kind, points in [
        ("touchStart", [{"x": x, "y": y}]),
        *(("touchMove", [{"x": x, "y": y + plot["height"] * hz / NYQUIST}]) for hz in (500, 1000, 2000)),
        ("touchEnd", []),
    ]:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    player.page.wait_for_function("heard.edgechange.length === 1")
    assert player.heard("edgechange")[0]["hz"] == pytest.approx(6000, abs=150)
