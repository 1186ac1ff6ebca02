"""A player in a page of a real browser: what is heard is recorded from the audio graph, what is seen is on canvases."""

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
