"""A comparison as one self-contained HTML page: figures, spectrograms, players and curves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from saga_sr.core.atomic_file import write_atomically
from saga_sr.evaluation.comparison import CEILING, Comparison, Example
from saga_sr.evaluation.invariance_figures import FIGURES, Figure
from saga_sr.evaluation.invariances import Invariances
from saga_sr.pages.curves import Series, curve_panel
from saga_sr.pages.page import AIMS, colour_key, number, page, picture, player
from saga_sr.pages.spectrograms import loudest_db, spectrogram_panel

# Whether less is better; the rest is better the nearer to 0.
LESS_IS_BETTER = {
    "lsd_hf": True,
    "lsd_hf_audible": True,
    "lsd_lf": True,
    "lsd": True,
    "onset_hf_db": True,
    "mel_l1": True,
    "mel_l2": True,
    "pesq": False,
    "stoi": False,
    "visqol": False,
    "si_sdr": False,
}
NAMES = {
    "input": "before (input)",
    "band_replication": "band replication",
    "output": "after (output)",
    CEILING: "ceiling (codec)",
    "reference": "reference",
}
# What keeps the page below 25 MB: longer examples are cut. A sample takes a byte or a little more.
MOST_SAMPLES = 11_500_000
# Of a table that a screen shows whole.
MOST_COLUMNS = 9
Curves = Mapping[str, Series]


def write_report(
    path: Path,
    result: Comparison,
    invariances: Invariances | None,
    title: str,
    facts: Mapping[str, str],
    curves: Curves,
) -> Path:
    """Write the page to `path`; it needs no network and no other file.

    Args:
        invariances: of the method that `result` calls `output`, where there is one that can be asked.
        facts: what was run, by name.
        curves: panels of series of (step, value), by name.
    """
    clips = len({row.clip for row in result.rows})
    body = [
        "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items()) + "</dl>",
        f"<h2>Means over {clips} {result.clips}</h2>",
        f'<div class="tiles">{"".join(_tile(result, cutoff) for cutoff in result.cutoffs_hz)}</div>',
        *(f'<div class="wide">{_table(result, names)}</div>' for names in _in_rows(list(result.shown))),
        f'<p class="soft">{escape(result.origin)} LSD in log10 power (2048/512 Hann), '
        "HF above and LF below the cutoff. HF level (mean of dB) and HF energy: output over reference, 0 is right. "
        "HF onset: how differently levels rise from one 3 ms to the next. SI-SDR compares waveforms: any invented band "
        "costs it, and the input has the most. "
        f"The best of each column and cutoff is green.{_of_the_ceiling(result)}{_undefined(result)}</p>",
        _failures(result.failures),
        "" if invariances is None else _invariances(invariances),
        _examples(result),
        _training(curves),
    ]
    return write_atomically(path, page(title, "".join(body)))


def _in_rows(names: list[str]) -> Iterator[list[str]]:
    """`names` in as many tables as are seen whole."""
    for first in range(0, len(names), MOST_COLUMNS):
        yield names[first : first + MOST_COLUMNS]


def _of_the_ceiling(result: Comparison) -> str:
    if CEILING not in result.methods:
        return ""
    return (
        " Ceiling: the reference itself through the codec and back, with its low band taken from the input as the "
        "output's is; what it loses no model with this codec can have."
    )


def _undefined(result: Comparison) -> str:
    said = "; ".join(f"{result.shown.get(name, name)}: {reason}" for name, reason in result.undefined.items())
    return f" – is not defined ({escape(said)})." if said else ""


def _tile(result: Comparison, cutoff: int) -> str:
    means = {method: round(result.mean(cutoff, method, "lsd_hf"), 2) for method in result.methods}
    worst, best = max(means.values()), min(value for method, value in means.items() if method != CEILING)
    bars = []
    for method, value in means.items():
        kind, tag = ("best", "b") if value == best and method != CEILING else ("", "span")
        width = f"{100 * value / (worst or 1):.1f}%"
        bars.append(
            f'<span>{escape(_name(method))}</span><div><i class="{kind}" style="width:{width}"></i></div>'
            f"<{tag}>{value:.2f}</{tag}>"
        )
    heading = f"Log-spectral distance above {cutoff / 1000:.3g} kHz"
    return f'<div class="tile"><h3>{heading}</h3><div class="bars">{"".join(bars)}</div></div>'


def _table(result: Comparison, shown: Sequence[str]) -> str:
    """The means of the metrics `shown`."""
    head = "".join(f"<th>{escape(result.shown[key])} {AIMS[LESS_IS_BETTER.get(key)]}</th>" for key in shown)
    groups = []
    for cutoff in result.cutoffs_hz:
        means = {m: {k: round(result.mean(cutoff, m, k), 2) for k in shown} for m in result.methods}
        best = {k: min(_badness(k, means[m][k]) for m in means if m != CEILING) for k in shown}
        rows = [f'<th rowspan="{len(means)}">{cutoff / 1000:.3g} kHz</th>']
        for method, values in means.items():
            is_best = {k: method != CEILING and _badness(k, v) == best[k] < math.inf for k, v in values.items()}
            cells = [f"<td{' class=best' if is_best[k] else ''}>{number(v)}</td>" for k, v in values.items()]
            rows.append(f"<td>{escape(_name(method))}</td>{''.join(cells)}</tr><tr>")
        groups.append(f"<tbody><tr>{''.join(rows).removesuffix('<tr>')}</tbody>")
    return f"<table><thead><tr><th>cutoff</th><th>method</th>{head}</tr></thead>{''.join(groups)}</table>"


def _badness(metric: str, value: float) -> float:
    if math.isnan(value):
        return math.inf
    if metric not in LESS_IS_BETTER:
        return abs(value)
    return value if LESS_IS_BETTER[metric] else -value


def _invariances(result: Invariances) -> str:
    cutoffs = result.cutoffs_hz
    head = "".join(f"<th>{cutoff / 1000:g} kHz</th>" for cutoff in cutoffs)
    rows = []
    for name, figure in FIGURES.items():
        cells = "".join(_figure(figure, result.worst(cutoff, name)) for cutoff in cutoffs)
        right, meaning = figure.right.replace("-", "−"), figure.meaning.replace(" -", " −")
        rows.append(
            f'<tr><th>{escape(figure.title)}</th>{cells}<td>{right}</td><td class="meaning">{escape(meaning)}</td></tr>'
        )
    return (
        "<h2>Level, stereo, low band and joins</h2>"
        f'<p class="soft">Of {len({row.clip for row in result.rows})} of the clips, the worst. The high band lies '
        "above 1.1 × the cutoff, the low band up to 0.8 ×. What is right is green.</p>"
        f'<div class="wide"><table class="figures"><thead><tr><th>after (output)</th>{head}<th>right</th><th></th></tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>{_failures(result.failures)}"
    )


def _figure(figure: Figure, value: float) -> str:
    return f"<td{' class=best' if figure.is_right(value) else ''}>{figure.text(value).replace('-', '−')}</td>"


def _failures(failures: list[str]) -> str:
    if not failures:
        return ""
    items = "".join(f"<li>{escape(failure)}</li>" for failure in failures)
    summary = f"<summary>Failed and left out: {len(failures)}</summary>"
    return f'<details class="soft">{summary}<ul>{items}</ul></details>'


def _examples(result: Comparison) -> str:
    if not result.examples:
        return ""
    channels = sum(len(audio) for example in result.examples for audio in example.audios.values())
    most = MOST_SAMPLES // channels
    longest = max(example.clip.audio.shape[-1] for example in result.examples)
    cut = f" Only the first {most / result.sample_rate:.1f} s are shown." if longest > most else ""
    parts = [
        "<h2>Clips</h2>"
        f'<p class="soft">{colour_key()}, the loudest point of each row. The dashed line is the cutoff.{cut}</p>'
    ]
    for name in dict.fromkeys(example.clip.name for example in result.examples):
        examples = [example for example in result.examples if example.clip.name == name]
        caption = f'<p class="soft">{escape(examples[0].clip.caption)}</p>' if examples[0].clip.caption else ""
        rows = "".join(_example(example, result, most) for example in examples)
        parts.append(f'<section class="clip"><h3>{escape(name)}</h3>{caption}{rows}</section>')
    return "".join(parts)


def _example(example: Example, result: Comparison, most: int) -> str:
    """One row: a picture and a player for each signal, of the first `most` samples."""
    distances = {
        row.method: row.metrics["lsd_hf"]
        for row in result.rows
        if (row.clip, row.cutoff_hz) == (example.clip.name, example.cutoff_hz)
    }
    audios = {name: audio[:, :most] for name, audio in example.audios.items()}
    loudest = loudest_db(audios.values())
    figures = []
    for name, audio in audios.items():
        panel = spectrogram_panel(audio, result.sample_rate, example.cutoff_hz, loudest)
        distance = f"<span>LSD-HF {distances[name]:.2f}</span>" if name in distances else ""
        figures.append(
            f"<figure><figcaption>{escape(_name(name))}{distance}</figcaption>"
            f"{picture(panel, f'Spectrogram: {_name(name)}')}{player(audio, result.sample_rate)}</figure>"
        )
    return f'<h4>Cutoff {example.cutoff_hz / 1000:.3g} kHz</h4><div class="row">{"".join(figures)}</div>'


def _training(curves: Curves) -> str:
    panels = {name: {k: v for k, v in series.items() if v} for name, series in curves.items()}
    figures = [
        f"<figure>{picture(curve_panel(name, series), f'{name} over training steps')}</figure>"
        for name, series in panels.items()
        if series
    ]
    return f'<h2>Training</h2><div class="curves">{"".join(figures)}</div>' if figures else ""


def _name(method: str) -> str:
    return NAMES.get(method, method)
