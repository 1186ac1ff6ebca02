"""What the page Train shows: runs in words and curves, and reports as HTML in which nothing of a user's is markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from html import escape
from typing import Any

from saga_sr.app.data_check import FolderReport
from saga_sr.app.recording_rows import duration
from saga_sr.app.run_list import Run
from saga_sr.app.tables import facts_html
from saga_sr.app.training_cost import TrainingCost
from saga_sr.app.training_runs import TrainingRuns, key_of
from saga_sr.app.usage import Usage
from saga_sr.app.words import Words
from saga_sr.core.run_folder import FINISHED
from saga_sr.inspection.table import count, memory

# The figure of validation that runs are compared by, and those that have a curve.
MAIN = "val/lsd_hf"
CURVES = ("train/loss", "val/loss", MAIN, "val/lsd", "val/si_sdr", "val/energy_hf_db")
# Points of a curve that are sent to browsers.
MOST_POINTS = 300
# Recordings that are named in a report.
NAMED = 8


def runs_value(runs: TrainingRuns, words: Words, chosen: str | None, compared: Sequence[str]) -> dict[str, Any]:
    """What the element with the runs is given.

    Args:
        chosen: the key of the run that is shown in full.
        compared: keys of those whose curves are shown beside it.
    """
    there = {key_of(run.folder): run for run in runs.runs()}
    run = there.get(chosen or "")
    columns = [words(key) for key in ("compare", "run_name", "actions", "state", "progress", "left")]
    columns += [words(kind, name=MAIN.partition("/")[2]) for kind in ("last", "best")]
    together = [there[key] for key in dict.fromkeys([chosen, *compared]) if key in there]
    shared = set.intersection(*(set(one.changes) for one in there.values())) if len(there) > 1 else set()
    return {
        "empty": words("no_runs"),
        "label": words("runs"),
        "compare": words("compare"),
        "columns": columns,
        "rows": [_row(key, one, words, shared) for key, one in there.items()],
        "compared": [*compared],
        "chosen": chosen,
        "reason": words.sentence(run.reason) if run else "",
        "facts": _facts(run, runs.usage(run), words) if run else [],
        "curves": _curves(together),
    }


def _row(key: str, run: Run, words: Words, shared: Set[str]) -> dict[str, Any]:
    """A run in the table, with the changes that it does not share with all others."""
    own = [change for change in run.changes if change not in shared]
    last, best = run.figures.get(MAIN, (None, None))
    actions = ["stop"] if run.here and run.state != "stopping" else []
    actions += ["resume"] if not run.is_busy and run.state != FINISHED else []
    actions += ["try"] if run.state == FINISHED or run.step else []
    cells = [
        words(f"state_{run.state}"),
        f"{run.step:,} / {run.steps:,}" if run.steps else f"{run.step:,}",
        "" if run.left_s is None else duration(run.left_s, words),
        *("" if value is None else f"{value:.3f}" for value in (last, best)),
    ]
    return {
        "key": key, "name": run.folder.name, "changes": " ".join(own), "cells": cells,
        "actions": [(action, words(action)) for action in actions],
    }  # fmt: skip


def _facts(run: Run, usage: Usage | None, words: Words) -> list[tuple[str, str]]:
    facts = [(words("recipe"), run.recipe), (words("folder"), str(run.folder))]
    facts += [(words("changed"), " ".join(run.changes))] if run.changes else []
    if run.steps_per_s and run.is_busy:
        facts.append((words("speed"), words("steps_per_s", n=f"{run.steps_per_s:.3g}")))
    if usage is not None:
        facts += [(words("cpu"), words("cores", n=f"{usage.cpu:.1f}"))] if usage.cpu is not None else []
        facts.append((words("memory"), memory(usage.memory)))
        if usage.gpu_memory is not None:
            said = words("gpu_used", share=f"{usage.gpu_busy or 0:.0%}", memory=memory(usage.gpu_memory))
            facts.append((words("gpu"), said))
    return facts


def _curves(runs: Sequence[Run]) -> list[dict[str, Any]]:
    drawn = []
    for name in CURVES:
        lines = [
            {"label": run.folder.name, "points": thinned(run.curves[name])} for run in runs if run.curves.get(name)
        ]
        if lines:
            drawn.append({"name": name, "lines": lines})
    return drawn


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `MOST_POINTS` of a curve: the mean of each few points, and the last one as it is; finite ones alone."""
    finite = [(step, value) for step, value in points if abs(value) < float("inf")]
    size = -(-len(finite) // MOST_POINTS)
    if size <= 1:
        return finite
    groups = (finite[i : i + size] for i in range(0, len(finite) - 1, size))
    means = [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]
    return [*means, finite[-1]]


def cost_html(cost: TrainingCost, words: Words) -> str:
    """What a training costs, as HTML."""
    facts = [
        (words("parameters"), count(cost.parameters)),
        (words("step_memory"), memory(cost.memory)),
        (words("steps"), f"{cost.steps:,}"),
        (words("audio"), duration(cost.audio_s, words)),
        (words("least"), duration(cost.least_s, words)),
    ]
    return facts_html(facts) + "".join(f"<p>{escape(words('left_out', what=what))}</p>" for what in cost.left_out)


def report_html(report: FolderReport, nyquist_hz: float, words: Words) -> str:
    """What was found in a folder, as HTML.

    Args:
        nyquist_hz: up to which the model restores.
    """
    all_opened = report.opened == report.files
    hours = f"{report.hours:.3g}"
    facts = [
        (words("report_files"), f"{report.files:,}"),
        (words("report_hours"), hours if all_opened else words("report_about", n=hours)),
        (words("report_rates"), _counts((f"{rate / 1000:g} kHz", n) for rate, n in report.rates.most_common())),
        (words("report_channels"), _counts((str(channels), n) for channels, n in report.channels.most_common())),
    ]
    if report.licences:
        facts.append((words("report_licences"), _counts(report.licences.most_common())))
    parts = [facts_html(facts)]
    if not all_opened:
        parts.append(f"<p>{escape(words('report_opened', opened=report.opened, files=report.files))}</p>")
    if report.edges_hz:
        end, whole, count = report.ends_hz(nyquist_hz), report.whole(nyquist_hz), len(report.edges_hz)
        if end is not None:
            said = words("report_ends", khz=f"{end / 1000:g}")
        else:
            said = words("report_whole") if whole == count else words("report_partly", n=whole, count=count)
        parts += [f"<p><strong>{escape(said)}</strong></p>", _bars(report, words)]
    if report.bad:
        parts.append(
            _named(words("report_bad", count=len(report.bad)), [words.sentence(said) for _, said in report.bad], words)
        )
    if report.unlicensed:
        names = [path.name for path in report.unlicensed]
        parts.append(_named(words("report_unlicensed", count=len(names)), names, words))
    return f'<div class="saga-report">{"".join(parts)}</div>'


def _counts(counted: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{what} × {n:,}" for what, n in counted)


def _bars(report: FolderReport, words: Words) -> str:
    bars = report.histogram()
    most = max(number for _, number in bars)
    rows = "".join(
        f'<tr><th scope="row">{hz / 1000:g} kHz</th><td><span style="width: {100 * number / most:.0f}%"></span></td>'
        f"<td>{number}</td></tr>"
        for hz, number in bars
    )
    caption = escape(words("report_edges", count=len(report.edges_hz)))
    return f'<table class="saga-bars"><caption>{caption}</caption><tbody>{rows}</tbody></table>'


def _named(title: str, names: Sequence[str], words: Words) -> str:
    items = [*names[:NAMED], *([words("and_more", count=len(names) - NAMED)] if len(names) > NAMED else [])]
    return f"<p>{escape(title)}</p><ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"
