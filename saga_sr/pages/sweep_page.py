"""A sweep as one self-contained HTML page: table over seeds, curves of all runs, the same clips side by side."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from html import escape
from pathlib import Path

from matplotlib import colormaps
from matplotlib.colors import to_hex

from saga_sr.core.atomic_file import write_atomically
from saga_sr.core.run_folder import FINISHED
from saga_sr.evaluation.sweep import FIGURES, Run, Variant, badness, differing, unfinished, variants
from saga_sr.files.reading import read_audio
from saga_sr.pages.curves import Curve, runs_panel
from saga_sr.pages.page import AIMS, number, page, picture, player
from saga_sr.pages.spectrograms import loudest_db, spectrogram_panel

CLIPS = "validation"
# Two decades of smoothing would hide what a seed does: a training curve is averaged over this share of its points.
SMOOTHED = 0.03


def write_sweep_page(path: Path, runs: Sequence[Run], title: str) -> Path:
    """Write the page of `runs` to `path`, which takes the place of an older one only when it is whole."""
    gathered = variants(runs)
    shared = {key: value for key, value in runs[0].overrides.items() if key not in differing(runs)}
    facts = {"runs": f"{len(runs)}, {len(runs) - len(unfinished(runs))} finished", "variants": str(len(gathered))}
    facts |= {"all with": ", ".join(f"{key}={value}" for key, value in shared.items())} if shared else {}
    body = [
        "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items()) + "</dl>",
        f'<h2>Figures</h2><div class="wide">{_table(gathered)}</div>',
        '<p class="soft">The last value of each run, and its best; mean ± standard deviation over seeds, of the runs '
        "that have the figure. The best mean of each column is green.</p>",
        _failures(unfinished(runs)),
        _curves(gathered),
        _clips(gathered),
        _models(runs),
    ]
    return write_atomically(path, page(title, "".join(body)))


def _table(gathered: Sequence[Variant]) -> str:
    keys = list(gathered[0].settings)
    shown = [figure for figure in FIGURES if any(run.final(figure) is not None for v in gathered for run in v.runs)]
    head = "".join(f"<th>{escape(key)}</th>" for key in keys) + "<th>runs</th>"
    head += "".join(f"<th>{escape(FIGURES[f][0])} {AIMS[FIGURES[f][1]]}</th><th>best</th>" for f in shown)
    columns = []
    for figure in shown:
        columns.append([v.spread([run.final(figure) for run in v.runs]) for v in gathered])
        columns.append([v.spread([run.best(figure) for run in v.runs]) for v in gathered])
    best = []
    for i, column in enumerate(columns):
        means = [round(entry[0], 3) for entry in column if entry]
        best.append(min(badness(shown[i // 2], mean) for mean in means))
    rows = []
    for i, variant in enumerate(gathered):
        cells = "".join(f"<td class=name>{escape(variant.settings[key])}</td>" for key in keys)
        cells += f"<td>{len(variant.runs)}</td>"
        for j, (column, least) in enumerate(zip(columns, best, strict=True)):
            entry = column[i]
            cells += _cell(entry, entry is not None and badness(shown[j // 2], round(entry[0], 3)) == least)
        rows.append(f"<tr>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _cell(entry: tuple[float, float | None] | None, best: bool) -> str:
    if entry is None:
        return "<td>–</td>"
    mean, deviation = entry
    spread = f' <span class="soft">± {deviation:.2f}</span>' if deviation is not None else ""
    return f"<td{' class=best' if best else ''}>{number(mean)}{spread}</td>"


def _failures(runs: Sequence[Run]) -> str:
    if not runs:
        return ""
    items = "".join(
        f"<li>{escape(run.name)}: {escape(run.status)} at step {run.steps}"
        f"{escape(': ' + run.reason) if run.reason else ''}</li>"
        for run in runs
    )
    return f"<h2>Not finished</h2><ul>{items}</ul>"


def _colours(count: int) -> list[str]:
    """Colours that can be told apart on white and on black."""
    if count <= 8:
        return [to_hex(colormaps["tab10"](i)) for i in range(count)]
    return [to_hex(colormaps["turbo"](0.05 + 0.9 * i / (count - 1))) for i in range(count)]


def _curves(gathered: Sequence[Variant]) -> str:
    colours = _colours(len(gathered))
    figures = []
    for figure, (title, _) in FIGURES.items():
        lines = [
            Curve(colour, _smooth(run.curves[figure]))
            for variant, colour in zip(gathered, colours, strict=True)
            for run in variant.runs
            if run.curves.get(figure)
        ]
        if lines:
            panel = runs_panel(title, lines)
            figures.append(f"<figure>{picture(panel, f'{title} of all runs over training steps')}</figure>")
    if not figures:
        return ""
    key = "".join(
        f'<span class="line" style="background:{colour}"></span>{escape(variant.name)} &ensp;'
        for variant, colour in zip(gathered, colours, strict=True)
    )
    return f'<h2>Curves</h2><p class="soft">{key}</p><div class="curves">{"".join(figures)}</div>'


def _smooth(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Running means over a small share of the points: single training batches are noise."""
    width = max(1, round(SMOOTHED * len(points)))
    return [
        (points[i][0], sum(value for _, value in points[max(0, i - width + 1) : i + 1]) / min(i + 1, width))
        for i in range(len(points))
    ]


def _clips(gathered: Sequence[Variant]) -> str:
    runs = [run for variant in gathered for run in variant.runs if (run.folder / CLIPS).is_dir()]
    names = sorted({path.name.split("_")[0] for run in runs for path in (run.folder / CLIPS).glob("*_output.flac")})
    sections = [_clip(name, runs, [key for key in differing(runs)]) for name in names]
    return f"<h2>Validation clips</h2>{''.join(sections)}" if sections else ""


def _models(runs: Sequence[Run]) -> str:
    """What to add to a command to use the model of a run."""
    keys, items = differing(runs), ""
    for run in runs:
        if run.status == FINISHED:
            label = ", ".join(f"{key}={run.overrides.get(key, 'default')}" for key in keys) or run.name
            items += f"<li>{escape(label)}: <code>{escape(shlex.quote(f'model={run.folder}'))}</code></li>"
    return f'<h2>Models</h2><p class="soft">For saga-sr enhance and evaluate.</p><ul>{items}</ul>' if items else ""


def _clip(name: str, runs: Sequence[Run], keys: Sequence[str]) -> str:
    """One clip: input and reference once, and the output of each run."""
    first = runs[0].folder / CLIPS
    files = {"before (input)": first / f"{name}_input.flac", "reference": first / f"{name}_reference.flac"}
    for run in runs:
        label = ", ".join(run.overrides.get(key, "default") for key in keys) or run.name
        files[label] = run.folder / CLIPS / f"{name}_output.flac"
    read = {label: read_audio(path) for label, path in files.items() if path.is_file()}
    loudest = loudest_db([audio for audio, _ in read.values()])
    figures = "".join(
        f"<figure><figcaption>{escape(label)}</figcaption>"
        f"{picture(spectrogram_panel(audio, rate, loudest=loudest), f'Spectrogram: {label}')}"
        f"{player(audio, rate)}</figure>"
        for label, (audio, rate) in read.items()
    )
    heading = f"Clip {int(name) + 1}; runs by {', '.join(keys) or 'name'}"
    return f'<section class="clip"><h3>{escape(heading)}</h3><div class="row">{figures}</div></section>'
