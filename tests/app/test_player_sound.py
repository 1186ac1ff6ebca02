"""The player's sound in a real browser, recorded from the audio graph sample by sample."""

from __future__ import annotations

import numpy as np
import pytest
from browser import Site
from player_page import RATE, Opening, tone, wav

pytestmark = pytest.mark.slow


def level_of(mix: np.ndarray, hz: float) -> float:
    """Amplitude of a tone in a mix."""
    window = np.hanning(len(mix)) * ~np.isnan(mix)
    mix = np.nan_to_num(mix)
    turns = np.exp(-2j * np.pi * hz * np.arange(len(mix)) / RATE)
    return float(2 * np.abs((mix * window * turns).sum()) / window.sum())


def ramp(seconds: float) -> np.ndarray:
    """Each sample says which it is."""
    return np.arange(1, round(seconds * RATE) + 1) / 2**20


def samples_of(mix: np.ndarray) -> np.ndarray:
    """Which samples of a ramp were played, -1 for none, NaN where that is not known."""
    return np.rint(mix * 2**20) - 1


def follow(samples: np.ndarray) -> np.ndarray:
    """Whether each of the samples came right after the one before, or a number of lost blocks later."""
    steps = np.diff(samples)
    return (steps > 0) & (steps % 128 == 1)


def test_switching_stays_on_the_same_sample_without_gap_or_double(opened: Opening) -> None:
    """Both are the same ramp, the input on the left and the result on the right: their sum goes on."""
    player = opened()
    sound, nothing = ramp(40), np.zeros(40 * RATE)
    # An odd length of pieces, so that there are many seams and switches between them.
    input_, result = np.stack([sound, nothing], axis=1), np.stack([nothing, sound], axis=1)
    player.show(input_, result, 33_333, result_gain_db=0)
    player.record()
    for name in ("Result", "Input", "Result", "Input"):
        player.hear(0.4)
        player.button(name).click()
        assert player.button(name).get_attribute("aria-pressed") == "true"
    player.hear(0.2)
    for name in ("result", "input") * 3:  # faster than a fade
        player.ask(f"player.setListen('{name}')")
    player.hear(0.2)
    mix = player.recording()
    both = mix.sum(axis=1)
    first = np.flatnonzero(both > 0)[0] + 1000  # after the sound has come in
    heard = samples_of(both[first:])
    # A busy machine may wait for audio now and then, but then goes on where it was.
    assert np.all(follow(heard[heard >= 0])) and (heard >= 0).sum() > RATE
    # Fades are straight lines of 10 ms.
    sounding = both[first:] > 0
    share = mix[first:, 1][sounding] / both[first:][sounding]
    fading = np.flatnonzero((share > 1e-4) & (share < 1 - 1e-4))
    lengths = [len(run) for run in np.split(fading, np.flatnonzero(np.diff(fading) > 1) + 1)]
    assert len(lengths) > 4 and sum(abs(length - 441) <= 2 for length in lengths) >= 3
    assert np.abs(np.diff(share)).max() < 1.01 / 441


def test_levels_are_matched_by_what_both_have(opened: Opening) -> None:
    """The result is 6 dB softer and has something above the edge, which must not count."""
    player = opened()
    before = tone(500, 30)
    player.show(before, before / 2 + tone(12_000, 30, 0.3))
    player.until("player.gain_db !== null")
    assert player.ask("player.gain_db") == pytest.approx(20 * np.log10(2), abs=0.05)
    player.page.get_by_text("levels matched (+6.0 dB)").wait_for()
    player.record()
    player.button("Play").or_(player.button("Pause")).focus()
    for name in ("input", "result"):
        assert player.ask("player.listen") == name
        player.hear(0.6)
        # The input is turned down, nothing up: so nothing clips.
        assert level_of(player.recording()[-14_000:, 0], 500) == pytest.approx(0.05, rel=0.01)
        player.page.keyboard.press("x")


def test_what_was_added_is_heard_alone(opened: Opening) -> None:
    player = opened()
    before = tone(500, 30)
    player.show(before, before / 2 + tone(12_000, 30))
    player.until("player.gain_db !== null")
    player.button("What was added").click()
    player.record()
    player.hear(0.8)
    mix = player.recording()[-14_000:, 0]
    assert level_of(mix, 500) < 1e-4
    assert level_of(mix, 12_000) == pytest.approx(0.1, rel=0.01)


def test_a_marked_stretch_repeats_to_the_sample(opened: Opening) -> None:
    """Beside the ramp stands a constant, which says how loud it is just then."""
    player = opened()
    player.show(np.stack([ramp(10), np.full(10 * RATE, 0.5)], axis=1), piece=50_000)
    player.listen_for("loopchange")
    box = player.page.locator(".ruler").bounding_box()
    x = [box["x"] + box["width"] * share for share in (0.2, 0.25)]
    player.page.mouse.move(x[0], box["y"] + 8)
    player.page.mouse.down()
    player.page.mouse.move(x[1], box["y"] + 8, steps=5)
    player.page.mouse.up()
    (loop,) = player.heard("loopchange")
    assert (loop["begin_s"], loop["end_s"]) == (pytest.approx(2, abs=0.02), pytest.approx(2.5, abs=0.02))
    assert player.button("Loop").get_attribute("aria-pressed") == "true"
    begin, end = round(loop["begin_s"] * RATE), round(loop["end_s"] * RATE)
    player.record()
    player.hear(1.8)
    mix = player.recording()
    mix = mix[mix[:, 1] > 1e-3]  # silent for an instant where it goes back, so as not to click
    heard = samples_of(mix[:, 0] / mix[:, 1] / 2)
    assert heard.min() >= begin and heard.max() < end
    back = np.flatnonzero(np.diff(heard) < 0)
    assert len(back) >= 2 and np.all(heard[back] > end - 5) and np.all(heard[back + 1] < begin + 5)
    assert np.all(np.delete(follow(heard), back))
    player.button("Loop").click()
    assert player.ask("player.loop") is None and player.heard("loopchange")[-1]["begin_s"] is None


def test_the_loop_is_moved_by_keys(opened: Opening) -> None:
    player = opened()
    player.show(tone(500, 10))
    player.ask("player.setLoop(2, 4)")
    end = player.page.get_by_role("slider", name="Loop ends")
    end.focus()
    player.page.keyboard.press("ArrowRight")
    assert player.ask("player.loop.end_s") == pytest.approx(4.2)
    player.ask("player.seek(3)")
    player.page.keyboard.press("[")
    assert player.ask("player.loop") == pytest.approx({"begin_s": 3, "end_s": 4.2}, abs=1e-3)


def test_a_long_result_is_heard_before_it_is_done(opened: Opening) -> None:
    """It waits by itself where nothing is made yet, and asks for nothing that is not."""
    player = opened()
    data = player.show(np.zeros(6 * RATE), ramp(6), RATE, result_gain_db=0)
    data["id"] = "b"
    player.give({**data, "result": {**data["result"], "ready_s": 2.5}})
    player.page.get_by_text("restored up to 0:03 of 0:06").wait_for()
    player.button("Result").click()
    player.site.asked.clear()
    player.record()
    player.until("player.position_s > 1.5")
    player.page.get_by_text("waiting for audio").wait_for()
    assert player.ask("player.position_s") == pytest.approx(2, abs=0.01) and player.ask("player.playing")
    assert not {f"/result/{i}.wav" for i in range(2, 6)} & {*player.site.asked}
    # In the picture, what is not made is left out, and not black like silence.
    script = """() => { const c = document.querySelector('saga-player').shadowRoot.querySelector('.result canvas');
        return [0.1, 0.9].map((at) => c.getContext('2d').getImageData(at * c.width, 0, 1, 1).data[3]); }"""
    player.page.wait_for_function(f"({script})()[0] === 255")
    assert player.page.evaluate(script) == [255, 0]
    player.give(data)
    player.until("player.position_s > 3.5")
    heard = samples_of(player.recording()[:, 0])
    heard = heard[heard >= 0][1000:]  # after the sound has come in
    assert np.all(follow(heard)) and heard[0] < RATE and heard[-1] > 3 * RATE


def test_the_input_is_heard_where_the_result_is_not_made_yet(opened: Opening) -> None:
    player = opened()
    data = player.show(ramp(6), np.zeros(6 * RATE), RATE, result_gain_db=0)
    data["id"] = "b"
    player.give({**data, "result": {**data["result"], "ready_s": 0.5}})
    player.ask("player.seek(3)")
    player.ask("player.play()")
    player.until("player.position_s > 3.5")


def test_an_hour_plays_from_its_middle_at_once(opened: Opening, site: Site) -> None:
    player = opened()
    piece = wav(np.stack([tone(1000, 10)] * 2, axis=1))
    site.files |= {"/hour/": lambda _: piece, "/more/": lambda _: piece}
    sources = {
        name: {"url": f"/{folder}/{{index}}.wav", "segment_s": 10, "ready_s": 3600}
        for name, folder in (("input", "hour"), ("result", "more"))
    }
    data = player.show(np.zeros((RATE, 2)))
    player.give({**data, "id": "b", "duration_s": 3600, **sources})
    player.ask("player.seek(1800)")
    player.ask("player.play()")
    player.until("player.position_s > 1800.5")
    # What is decoded is forgotten again while the pictures are made.
    player.page.wait_for_timeout(2000)
    assert player.ask("performance.memory.usedJSHeapSize") < 300e6
