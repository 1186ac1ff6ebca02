"""What reports are made of: one HTML page that needs no network, in light and dark, on wide and narrow screens."""

from __future__ import annotations

import base64
import html
import io
import math

import matplotlib
import numpy as np
import soundfile
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from saga_sr.core.utf8_path import as_text
from saga_sr.pages.spectrograms import COLOURS, RANGE_DB

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f27; --soft: #5d6675; --line: #e4e7ec; --paper: #fff; --card: #f7f8fa;
  --best: #087443; --bar: #c3c9d4; --best-bar: #35a878 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaef; --soft: #9aa4b5; --line: #2c323d; --paper: #12151a;
  --card: #1a1e26; --best: #4cc38a; --bar: #444d5c; --best-bar: #2f9268 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1320px; padding: 2.5rem clamp(1rem, 3vw, 2.5rem) 5rem; background: var(--paper);
  color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif }
h1 { margin: 0 0 1rem; font-size: 1.8rem; line-height: 1.2; letter-spacing: -.02em }
h2 { margin: 3.2rem 0 1rem; font-size: 1.25rem; letter-spacing: -.01em }
h3 { margin: 0; font-size: 1rem } h4 { margin: 1.1rem 0 .4rem; font-size: .85rem; font-weight: 600; color: var(--soft) }
p { margin: .3rem 0 } .soft { color: var(--soft); font-size: .88rem; max-width: 62rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: 0 }
dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
code { overflow-wrap: anywhere }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1rem;
  margin-bottom: 1.5rem }
.tile, .clip { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1rem 1.2rem }
.clip { margin: 1.2rem 0 }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: .35rem .8rem; align-items: center;
  margin-top: .7rem; font-size: .9rem; font-variant-numeric: tabular-nums }
.bars i { display: block; height: .6rem; border-radius: 3px; background: var(--bar) }
.bars i.best { background: var(--best-bar) } .bars b, td.best { color: var(--best); font-weight: 650 }
.wide { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums; min-width: 100% }
th, td { padding: .38rem .8rem; text-align: right; white-space: nowrap } th { font-weight: 600 }
thead th { color: var(--soft); font-size: .85rem; border-bottom: 1px solid var(--line) }
tbody { border-bottom: 1px solid var(--line) } tbody th { text-align: left; vertical-align: top }
td:nth-of-type(1), thead th:nth-child(-n+2) { text-align: left }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: .9rem }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1.2rem }
figure { margin: 0 } figcaption { display: flex; justify-content: space-between; gap: 1rem; font-size: .88rem }
figcaption span { color: var(--soft); font-variant-numeric: tabular-nums }
img { display: block; width: 100%; height: auto } audio { display: block; width: 100%; height: 34px; margin-top: .3rem }
td.name { text-align: left } .line { display: inline-block; width: 1.2rem; height: .25rem; margin-right: .4rem;
  vertical-align: middle }
.figures td, .figures thead th + th { text-align: right; vertical-align: top }
.figures td.meaning { text-align: left; white-space: normal; min-width: 26rem; color: var(--soft); font-size: .88rem }
"""


def page(title: str, body: str) -> str:
    """A whole page around `body`, which is HTML; `title` is text. Names in it that are not UTF-8 are written out."""
    return as_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><h1>{html.escape(title)}</h1>{body}</body></html>\n"
    )


# How a column is to be read: whether less is better, or None where 0 is right.
AIMS = {True: "↓", False: "↑", None: "→ 0"}


def number(value: float) -> str:
    """Two decimals, with a minus sign; a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:.2f}".replace("-", "−")


def colour_key() -> str:
    """The colours of spectrograms, and what they mean."""
    scale = ", ".join(to_hex(matplotlib.colormaps[COLOURS](i / 8)) for i in range(9))
    key = f"display:inline-block;width:9rem;height:.6rem;border-radius:3px;background:linear-gradient(to right,{scale})"
    return f'<span>−{RANGE_DB:g} dB <span style="{key}"></span> 0 dB</span>'


def player(audio: Tensor, sample_rate: int) -> str:
    """An audio element that holds `audio` [c, time]."""
    buffer = io.BytesIO()
    soundfile.write(buffer, audio.clamp(-1, 1).T.numpy(), sample_rate, format="FLAC", subtype="PCM_16")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<audio controls preload="metadata" src="data:audio/flac;base64,{data}"></audio>'


def picture(figure: Figure, description: str) -> str:
    """An image element that holds `figure`."""
    canvas, buffer = FigureCanvasAgg(figure), io.BytesIO()
    canvas.draw()
    # 256 colours are a sixth of the bytes and look the same.
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).quantize(256, Image.Quantize.FASTOCTREE)
    picture.save(buffer, format="png")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(description)}" src="data:image/png;base64,{data}">'
