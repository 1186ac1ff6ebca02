"""The player in a real browser: what is heard is recorded from the audio graph, what is seen is read from canvases."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from browser import Site
from programs import ROOT
from scipy.io import wavfile

pytestmark = pytest.mark.slow

RATE = 44_100
NYQUIST = RATE / 2
PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Player</title>
<script type="module" src="/static/player.js"></script>
<body><main><h1>A recording</h1><saga-player></saga-player></main></body></html>"""
# Whatever goes to the loudspeakers is recorded, sample by sample.
RECORDER = """
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to === this.context.destination) window.mix = this;
  return connect.call(this, to, ...rest);
};
window.record = async () => {
  const code = `registerProcessor("recorder", class extends AudioWorkletProcessor {
    process([input]) {
      const left = input[0]?.slice() ?? new Float32Array(128);
      this.port.postMessage([currentFrame, left, input[1]?.slice() ?? left]);
      return true;
    }
  })`;
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  await mix.context.audioWorklet.addModule(url);
  const recorder = new AudioWorkletNode(mix.context, "recorder", { numberOfOutputs: 1 });
  window.recorded = [];
  recorder.port.onmessage = ({ data }) => recorded.push(data);
  connect.call(recorder, mix.context.destination);
  connect.call(mix, recorder);
};
window.packed = (bytes) => {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
};
window.taken = () => {
  const samples = new Float32Array(recorded.length * 256);
  recorded.forEach(([, left, right], i) => {
    samples.set(left, i * 256);
    samples.set(right, i * 256 + 128);
  });
  return [recorded.map(([frame]) => frame), packed(new Uint8Array(samples.buffer))];
};
"""


def wav(samples: np.ndarray) -> bytes:
    """Samples [time] or [time, channel] as a file of floats."""
    held = io.BytesIO()
    wavfile.write(held, RATE, samples.astype(np.float32))
    return held.getvalue()


def tone(hz: float, seconds: float, level: float = 0.1) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


class Player:
    """A page with a player, and what it has been given."""

    def __init__(self, page: Any, site: Site) -> None:
        self.page, self.site = page, site
        self.element = page.locator("saga-player")

    def show(
        self, input_: np.ndarray, result: np.ndarray | None = None, piece: int | None = None, **more: Any
    ) -> dict[str, Any]:
        """Show recordings [time] or [time, channel], in pieces of so many samples; `more` goes into the data."""
        channels = ["mono"] if input_.ndim == 1 else ["left", "right"]
        seconds = len(input_) / RATE
        data: dict[str, Any] = {
            "id": "a",
            "name": "song.mp3",
            "sample_rate": RATE,
            "duration_s": seconds,
            "channels": channels,
            "input": self.source("input", input_, piece),
            "result": None if result is None else self.source("result", result, piece),
            "edges": [[{"begin_s": 0, "end_s": seconds, "hz": 8000}] for _ in channels],
            **more,
        }
        self.give(data)
        return data

    def source(self, name: str, samples: np.ndarray, piece: int | None) -> dict[str, Any]:
        """A recording on the site, in one file or in pieces."""
        if piece is None:
            self.site.files[f"/{name}.wav"] = wav(samples)
            return {"url": f"/{name}.wav"}
        for i, begin in enumerate(range(0, len(samples), piece)):
            self.site.files[f"/{name}/{i}.wav"] = wav(samples[begin : begin + piece])
        return {"url": f"/{name}/{{index}}.wav", "segment_s": piece / RATE, "ready_s": len(samples) / RATE}

    def give(self, data: dict[str, Any] | None) -> None:
        self.element.evaluate("(player, data) => { player.data = data; }", data)

    def ask(self, expression: str) -> Any:
        """The value of an expression of `player`."""
        return self.element.evaluate(f"player => ({expression})")

    def until(self, expression: str, seconds: float = 30) -> None:
        """Wait until an expression of `player` is true."""
        self.page.wait_for_function(
            f"() => {{ const player = document.querySelector('saga-player'); return {expression}; }}",
            timeout=1000 * seconds,
        )

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def listen_for(self, kind: str) -> None:
        """Keep the details of events of a kind."""
        script = """(player, kind) => { window.heard ??= {}; heard[kind] = [];
            player.addEventListener(kind, (event) => heard[kind].push(event.detail)); }"""
        self.element.evaluate(script, kind)

    def heard(self, kind: str) -> list[dict[str, Any]]:
        """What events of a kind told."""
        return self.page.evaluate("kind => heard[kind]", kind)

    def drawn(self, picture: str) -> np.ndarray:
        """What a canvas shows once all of it is drawn, [row from the lowest, column, RGB]."""
        canvas = f".plot.{picture} canvas"
        self.page.wait_for_function(
            """selector => { const c = document.querySelector('saga-player').shadowRoot.querySelector(selector);
            const pixels = c.getContext('2d').getImageData(0, 0, c.width, 1).data;
            return c.width > 1 && c.clientWidth && pixels.every((value, i) => i % 4 < 3 || value === 255); }""",
            arg=canvas,
        )
        self.page.wait_for_timeout(300)  # what was coarse has become fine
        script = """selector => { const c = document.querySelector('saga-player').shadowRoot.querySelector(selector);
            return [c.width, c.height, packed(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)]; }"""
        width, height, pixels = self.page.evaluate(script, canvas)
        found = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(height, width, 4)
        return found[::-1, :, :3].astype(int)

    def record(self) -> None:
        """Play from where it is, and record it from its beginning."""
        begin = self.ask("player.position_s")
        self.ask("player.play()")
        self.page.evaluate("record()")
        self.ask("player.pause()")
        self.hear(0.2)
        self.page.evaluate("recorded.length = 0")
        self.ask(f"(player.seek({begin}), player.play())")

    def hear(self, seconds: float) -> None:
        """Wait while so much sound goes by, which may take longer than that on a busy machine."""
        self.until(f"player.context.currentTime > {self.ask('player.context.currentTime') + seconds}")

    def recording(self) -> np.ndarray:
        """What was recorded, [sample, channel]; NaN for blocks of which the recorder was not told."""
        frames, samples = self.page.evaluate("taken()")
        blocks = np.frombuffer(base64.b64decode(samples), np.float32).reshape(-1, 2, 128)
        first = frames[1]  # before it the graph is still being changed
        recorded = np.full(((frames[-1] - first) // 128 + 1, 2, 128), np.nan)
        recorded[(np.array(frames[1:]) - first) // 128] = blocks[1:]
        assert np.isnan(recorded).mean() < 0.1
        return recorded.transpose(0, 2, 1).reshape(-1, 2)


Opening = Callable[..., Player]


def level_of(mix: np.ndarray, hz: float) -> float:
    """Amplitude of a tone in a mix."""
    window = np.hanning(len(mix)) * ~np.isnan(mix)
    mix = np.nan_to_num(mix)
    turns = np.exp(-2j * np.pi * hz * np.arange(len(mix)) / RATE)
    return float(2 * np.abs((mix * window * turns).sum()) / window.sum())


@pytest.fixture
def opened(chromium: Any, site: Site) -> Iterator[Callable[..., Player]]:
    """Open a page with an empty player, of a given width and whatever else a browser's context takes."""
    site.files |= {"/page.html": PAGE, "/favicon.ico": b"", "/static/": ROOT / "saga_sr" / "app" / "static"}
    contexts = []

    def open_page(width: int = 1000, **options: Any) -> Player:
        context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(RECORDER)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: outside(request.url, site) and errors.append(request.url))
        context.errors = errors
        page.goto(f"{site.url}/page.html")
        page.wait_for_function("Boolean(customElements.get('saga-player'))")
        return Player(page, site)

    yield open_page
    for context in contexts:
        assert not context.errors
        context.close()


def outside(url: str, site: Site) -> bool:
    return not url.startswith((site.url, "blob:", "data:"))


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
