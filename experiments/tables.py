"""Tables of studies: means and spreads over seeds, written by the studies' commands into the pages that show them."""

from __future__ import annotations

import csv
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from saga_sr.core.atomic_file import write_atomically
from saga_sr.evaluation.comparison import aligned

# What a table has for what was not run, or cannot be.
NONE = "-"


def spread(values: Sequence[float], decimals: int = 2) -> str:
    """Mean and standard deviation of the values of several seeds; of one, the value alone, and of none a dash."""
    if not values:
        return NONE
    mean = f"{statistics.fmean(values):.{decimals}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{decimals}f}"


def of_runs(comparison: Path, settings: Mapping[str, str], figures: Mapping[str, tuple[str, int]]) -> list[list[str]]:
    """The rows of a table of runs, those that differ in their seed in one.

    Args:
        comparison: the CSV of `saga-sr compare`; runs that are not finished are left out.
        settings: what tells the rows apart, in the CSV and as a heading.
        figures: columns of the CSV, each with its heading and decimals.

    Returns:
        the headings, and the rows in the order in which they come in the CSV.
    """
    with comparison.open(newline="") as lines:
        runs = [run for run in csv.DictReader(lines) if run["status"] == "finished"]
    gathered: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for run in runs:
        gathered.setdefault(tuple(run[setting] for setting in settings), []).append(run)
    rows = [[*settings.values(), "seeds", *(title for title, _ in figures.values())]]
    for told, same in gathered.items():
        cells = [
            spread([float(run[name]) for run in same if run[name]], places) for name, (_, places) in figures.items()
        ]
        rows.append([*(f"`{word}`" for word in told), str(len(same)), *cells])
    return rows


def put(page: Path, name: str, rows: Sequence[Sequence[str]]) -> None:
    """Write a table, of which the first of `rows` is the head, into `page` between the marks of its `name`.

    Raises:
        ValueError: the page has no such marks.
    """
    head, *lines = rows
    put_text(page, name, aligned(head, lines))


def put_text(page: Path, name: str, text: str) -> None:
    """The same with any text.

    Raises:
        ValueError: the page has no such marks.
    """
    marked = re.compile(rf"(<!-- table: {re.escape(name)} -->\n).*?(<!-- end of table -->)", re.DOTALL)
    changed, count = marked.subn(lambda m: f"{m[1]}\n{text}\n\n{m[2]}", page.read_text())
    if count != 1:
        raise ValueError(f"{page} has {count} places for the table {name}.")
    write_atomically(page, changed)
