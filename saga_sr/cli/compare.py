"""Compare training runs: `saga-sr compare outputs/SWEEP`.

Writes `comparison.html` and `comparison.csv` into the first folder, or into `output`.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from omegaconf import DictConfig, ListConfig

from saga_sr.cli.calling import Command
from saga_sr.cli.command import execute

COMMAND = Command("compare", "compare", "FOLDER ...", lambda files, given: {"folders": files})


def work(config: DictConfig) -> None:
    """Write the comparison that `config` asks for."""
    from saga_sr.evaluation.sweep import best_run, find_runs, unfinished, write_runs
    from saga_sr.pages.sweep_page import write_sweep_page

    named = config.folders if isinstance(config.folders, ListConfig) else [config.folders]
    folders = [Path(folder) for folder in named]
    runs = find_runs(folders)
    output = Path(config.output) if config.output is not None else folders[0]
    output.mkdir(parents=True, exist_ok=True)
    write_runs(output / "comparison.csv", runs)
    page = write_sweep_page(output / "comparison.html", runs, f"Comparison of {folders[0].resolve().name}")
    for run in unfinished(runs):
        print(f"{run.name}: {run.status}{': ' + run.reason if run.reason else ''}", file=sys.stderr)
    print(f"{len(runs)} runs: {page}")
    best = best_run(runs)
    if best is not None:
        print(f"The lowest LSD-HF: {shlex.quote(f'model={best.folder}')}")


def run(words: list[str]) -> None:
    """Answer the command line."""
    execute(COMMAND, words, work)
