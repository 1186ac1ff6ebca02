"""Compare training runs: `saga-sr compare outputs/SWEEP`.

Writes `comparison.html` and `comparison.csv` into the first folder, or into `--output`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from saga_sr.evaluation.sweep import find_runs, unfinished, write_runs
from saga_sr.pages.sweep_page import write_sweep_page


def run(words: list[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="saga-sr compare", description="Compare training runs.")
    parser.add_argument("folders", nargs="+", type=Path, help="the folder of a sweep, or several runs' folders")
    parser.add_argument("--output", type=Path, help="where the page goes; the first folder unless given")
    arguments = parser.parse_args(words)
    runs = find_runs(arguments.folders)
    output = arguments.output or arguments.folders[0]
    output.mkdir(parents=True, exist_ok=True)
    write_runs(output / "comparison.csv", runs)
    page = write_sweep_page(output / "comparison.html", runs, f"Comparison of {arguments.folders[0].resolve().name}")
    for run in unfinished(runs):
        print(f"{run.name}: {run.status}{': ' + run.reason if run.reason else ''}", file=sys.stderr)
    print(f"{len(runs)} runs: {page}")
