"""Evaluate a model on held-out clips: `saga-sr evaluate [MODEL]`.

Writes `metrics.json`, `metrics.csv`, `invariances.csv`, `summary.txt`, `report.html` and the examples' audio into
`output`.
"""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig
from torch.utils.data import Dataset
from tqdm import tqdm

from saga_sr.cli.command import Command, execute, in_order
from saga_sr.core.run_folder import read_curves, read_record, run_of
from saga_sr.evaluation.baselines import band_replication, unchanged
from saga_sr.evaluation.comparison import (
    Clip,
    Comparison,
    Method,
    compare_methods,
    table,
    write_examples,
    write_json,
    write_rows,
)
from saga_sr.evaluation.invariance_figures import CHUNK_S, OVERLAP_S
from saga_sr.evaluation.invariances import Invariances, invariances_table, measure_invariances
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.restoring import load_enhancer
from saga_sr.packages.finding import find_model
from saga_sr.pages.report import write_report

logger = logging.getLogger(__name__)

# Panels of the report's training curves: title and the columns of training's metrics.csv.
CURVES = {
    "loss": ("train/loss", "val/loss"),
    "validation LSD (log10 power)": ("val/lsd", "val/lsd_hf"),
    "validation HF energy and onset (dB)": ("val/energy_hf_db", "val/onset_hf_db"),
    "validation SI-SDR (dB)": ("val/si_sdr",),
}


COMMAND = Command("evaluate", "evaluate", "[MODEL]", in_order("model"), enhances=True)


def work(config: DictConfig) -> None:
    """Compare the model with the baselines as `config` says, and measure how it treats levels, stereo and joins."""
    begin = time.perf_counter()
    config.model = str(find_model(config.model))
    enhancer = load_enhancer(config)
    rate = config.sample_rate = enhancer.sample_rate
    data = instantiate(config.data)
    methods: dict[str, Method] = {
        "input": lambda lr, cutoff_hz, _: unchanged(lr, cutoff_hz, rate),
        "band_replication": lambda lr, cutoff_hz, _: band_replication(lr, cutoff_hz, rate),
        "output": enhancer.clips,
    }
    clips = held_out_clips(data.evaluation_clips(config.clips, config.seconds), config.clips)
    batch_size = enhancer.settings.batch_size
    cutoffs_hz = list(config.cutoffs_hz)
    result = compare_methods(clips, methods, cutoffs_hz, rate, batch_size, config.examples, enhancer.ceiling)
    chunked = Enhancer(enhancer.model, enhancer.settings.changed(chunk_s=CHUNK_S, overlap_s=OVERLAP_S))
    invariances = measure_invariances(clips, enhancer.clips, chunked.clips, cutoffs_hz, rate)
    seconds = time.perf_counter() - begin
    write_results(Path(config.output), Path(config.model), result, invariances, data.describe(), seconds)


def held_out_clips(items: Dataset[dict[str, Any]], count: int) -> list[Clip]:
    """The first `count` of `items`, which training did not see."""
    shown = tqdm(range(count), desc="Held-out clips", delay=2, leave=False)
    return [
        Clip(f"{i + 1:02d} {item['name']}", item["hr"], item["caption"], float(item.get("edge_hz", math.inf)))
        for i, item in ((i, items[i]) for i in shown)
    ]


def write_results(
    output: Path, model: Path, result: Comparison, invariances: Invariances, data: str, seconds: float
) -> None:
    """Everything that was measured, as files in `output`."""
    output.mkdir(parents=True, exist_ok=True)
    trained = read_record(run_of(model)) or {}
    spent = {"train": trained.get("seconds"), "evaluate": round(seconds, 1)}
    write_json(output / "metrics.json", result.summary(spent) | {"invariances": invariances.summary()})
    write_rows(output / "metrics.csv", result.rows)
    write_rows(output / "invariances.csv", invariances.rows)
    write_examples(output / "audio", result)
    clips = len({row.clip for row in result.rows})
    facts = {
        "model": str(model),
        "data": data,
        "training": f"{trained.get('steps', '?')} steps, {trained.get('seconds', '?')} s",
        "evaluation": f"{clips} held-out clips, {seconds:.0f} s",
    }
    title, curves = "Audio super-resolution", training_curves(model)
    report = write_report(output / "report.html", result, invariances, title, facts, curves)
    summary = f"{table(result)}\n\n{invariances_table(invariances)}\n\nReport: {report.resolve()}\n"
    (output / "summary.txt").write_text(summary, encoding="utf-8")
    logger.info("%s", summary)


def training_curves(model: Path) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """The curves of the run that the model is of, from its CSV log; none where there is no log."""
    points = read_curves(run_of(model))
    panels = {title: {name: points[name] for name in names if name in points} for title, names in CURVES.items()}
    return {title: series for title, series in panels.items() if series}


def run(words: list[str]) -> None:
    """Answer the command line."""
    execute(COMMAND, words, work)
