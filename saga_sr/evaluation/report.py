"""A comparison as one self-contained HTML page: table, spectrograms, players and curves."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from pathlib import Path

import soundfile
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from saga_sr.evaluation.comparison import SHOWN, Comparison, Example
from saga_sr.evaluation.spectrograms import spectrogram_figure

# Whether less is better; the rest is better the nearer to 0.
LESS_IS_BETTER = {"lsd_hf": True, "lsd_lf": True, "lsd": True, "mel_l1": True, "si_sdr": False}
NAMES = {
    "input": "before (input)",
    "band_replication": "band replication",
    "output": "after (output)",
    "reference": "reference",
}
Curves = Mapping[str, Mapping[str, list[tuple[float, float]]]]

STYLE = """
:root { color-scheme: light dark; --ink: #1d2129; --soft: #667085; --line: #e3e6eb; --paper: #fff; --best: #0b7a4b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e9ee; --soft: #98a2b3; --line: #333a45; --paper: #14171c; --best: #4cc38a; } }
* { box-sizing: border-box }
body { font: 15px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
  max-width: 1240px; padding: 2rem 1rem 4rem }
h1 { font-size: 1.7rem; margin: 0 0 .2rem } h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem }
h3 { font-size: 1rem; margin: 2rem 0 .3rem } p, dd, dt { margin: .2rem 0 } .soft, figcaption, dt { color: var(--soft) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem }
.wide { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .35rem .9rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left }
td.best { color: var(--best); font-weight: 600 } figure { margin: .4rem 0 }
img { max-width: 100%; border-radius: 6px; background: #fff }
.players { display: grid; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); gap: .6rem }
audio { width: 100%; height: 36px; display: block }
"""


def write_report(path: Path, result: Comparison, title: str, facts: Mapping[str, str], curves: Curves) -> Path:
    """Write the page to `path`; it needs no network and no other file.

    Args:
        facts: what was run, by name.
        curves: panels of series of (step, value), by name.
    """
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        "<dl>" + "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in facts.items()) + "</dl>",
        f"<h2>Means over {len({row.clip for row in result.rows})} held-out clips</h2>",
        f'<div class="wide">{_table(result)}</div>',
        '<p class="soft">Input: Chebyshev I low-pass of order 8 at the cutoff. LSD is in log10 power '
        "(2048/512 Hann), HF above and LF below the cutoff. HF level (mean of dB) and HF energy: "
        "output over reference, 0 is right. "
        "The best of each column and cutoff is green.</p>",
        "<h2>Clips</h2>",
        *(_example(example, result.sample_rate) for example in result.examples),
    ]
    if curves:
        parts += [
            "<h2>Training</h2>",
            _picture(_curve_figure(curves), "Loss and validation metrics over training steps"),
        ]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(page)
    return aside.replace(path)


def _table(result: Comparison) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in SHOWN.values())
    rows = []
    for cutoff in result.cutoffs_hz:
        means = {m: {k: result.mean(cutoff, m, k) for k in SHOWN} for m in result.methods}
        best = {k: min(result.methods, key=lambda m: _badness(k, means[m][k])) for k in SHOWN}
        for method in result.methods:
            cells = "".join(
                f'<td class="{"best" if best[k] == method else ""}">{means[method][k]:.2f}</td>' for k in SHOWN
            )
            rows.append(f"<tr><td>{cutoff / 1000:g} kHz</td><td>{NAMES.get(method, method)}</td>{cells}</tr>")
    return f"<table><thead><tr><th>cutoff</th><th>method</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _badness(metric: str, value: float) -> float:
    if metric not in LESS_IS_BETTER:
        return abs(value)
    return value if LESS_IS_BETTER[metric] else -value


def _example(example: Example, sample_rate: int) -> str:
    audios = {NAMES.get(name, name): audio for name, audio in example.audios.items()}
    shown = {name: audio for name, audio in audios.items() if name != NAMES["band_replication"]}
    heading = f"{example.clip.name} · {example.cutoff_hz / 1000:g} kHz"
    caption = f'<p class="soft">{html.escape(example.clip.caption)}</p>' if example.clip.caption else ""
    players = "".join(
        f"<figure><figcaption>{html.escape(name)}</figcaption>{_player(audio, sample_rate)}</figure>"
        for name, audio in audios.items()
    )
    picture = _picture(spectrogram_figure(shown, sample_rate, example.cutoff_hz), f"Spectrograms of {heading}")
    return f'<h3>{html.escape(heading)}</h3>{caption}{picture}<div class="players">{players}</div>'


def _player(audio: Tensor, sample_rate: int) -> str:
    buffer = io.BytesIO()
    soundfile.write(buffer, audio.clamp(-1, 1).T.numpy(), sample_rate, format="FLAC", subtype="PCM_16")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<audio controls preload="none" src="data:audio/flac;base64,{data}"></audio>'


def _picture(figure: Figure, description: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<figure><img alt="{html.escape(description)}" src="data:image/png;base64,{data}"></figure>'


def _curve_figure(curves: Curves) -> Figure:
    figure = Figure(figsize=(11.5, 2.9), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    for axis, (panel, series) in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True):
        for name, points in series.items():
            steps, values = zip(*points, strict=True)
            axis.plot(
                steps,
                values,
                label=name,
                linewidth=1.3,
                marker="o" if len(points) < 20 else None,
                markersize=3,
            )
        axis.set_title(panel, fontsize=10)
        axis.set_xlabel("training step", fontsize=9)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        if len(series) > 1:
            axis.legend(fontsize=8, frameon=False)
    return figure
