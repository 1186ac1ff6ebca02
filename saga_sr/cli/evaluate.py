"""Evaluate a model on held-out clips, `saga-sr evaluate [MODEL]`, or what any system made of files, `generated=DIR
reference=DIR`.

Writes `metrics.json`, `metrics.csv`, `summary.txt`, `report.html` and the examples' audio into `output`; of a model
`invariances.csv`, too.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig
from torch.utils.data import Dataset
from tqdm import tqdm

from saga_sr.cli.calling import Command, in_order
from saga_sr.cli.command import execute
from saga_sr.cli.reconstruct import checked_length
from saga_sr.core.errors import UsageError
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
from saga_sr.evaluation.file_comparison import compare_files, find_files
from saga_sr.evaluation.invariance_figures import CHUNK_S, OVERLAP_S
from saga_sr.evaluation.invariances import Invariances, invariances_table, measure_invariances
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.restoring import load_enhancer
from saga_sr.packages.finding import find_model
from saga_sr.pages.report import Curves, write_report

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
    """Compare files, or a model, as `config` says."""
    begin = time.perf_counter()
    if config.generated is None and config.reference is None and config.lowres is None:
        work_on_model(config, begin)
    else:
        work_on_files(config, begin)


def work_on_model(config: DictConfig, begin: float) -> None:
    """Compare the model with the baselines, and measure how it treats levels, stereo and joins."""
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
    write_model_results(Path(config.output), Path(config.model), result, invariances, data.describe(), begin)


def work_on_files(config: DictConfig, begin: float) -> None:
    """Compare files of any system with what they are to be.

    Raises:
        UsageError: one of both is not named, or a model is.
        SagaError: files that cannot be compared.
    """
    if config.model is not None:
        raise UsageError(f"A model ({config.model}) and files are both given; leave one out.")
    for name in ("generated", "reference"):
        if config[name] is None:
            raise UsageError(f"{name} is required to compare files; add {name}=... to the command.")
    paths = {name: Path(config[name]) for name in ("generated", "reference", "lowres") if config[name] is not None}
    files, remarks = find_files(paths["generated"], paths["reference"], paths.get("lowres"))
    result = compare_files(files, list(config.cutoffs_hz), checked_length(config.max_length), config.examples)
    for remark in remarks:
        logger.warning("%s", remark)
    result.failures += remarks
    seconds = round(time.perf_counter() - begin, 1)
    facts = {name: str(path) for name, path in paths.items()}
    facts["evaluation"] = f"{len(files)} recordings, {seconds:.0f} s"
    write_results(Path(config.output), result, facts, {"evaluate": seconds})


def held_out_clips(items: Dataset[dict[str, Any]], count: int) -> list[Clip]:
    """The first `count` of `items`, which training did not see."""
    shown = tqdm(range(count), desc="Held-out clips", delay=2, leave=False)
    return [
        Clip(f"{i + 1:02d} {item['name']}", item["hr"], item["caption"], float(item.get("edge_hz", math.inf)))
        for i, item in ((i, items[i]) for i in shown)
    ]


def write_model_results(
    output: Path, model: Path, result: Comparison, invariances: Invariances, data: str, begin: float
) -> None:
    """Everything that was measured of a model, as files in `output`."""
    seconds = time.perf_counter() - begin
    trained = read_record(run_of(model)) or {}
    clips = len({row.clip for row in result.rows})
    facts = {"model": str(model), "data": data, "evaluation": f"{clips} held-out clips, {seconds:.0f} s"}
    if {"steps", "seconds"} <= trained.keys():  # a package without its run does not say
        facts["training"] = f"{trained['steps']} steps, {trained['seconds']} s"
    spent = {"train": trained.get("seconds"), "evaluate": round(seconds, 1)}
    write_results(output, result, facts, spent, invariances, training_curves(model))


def write_results(
    output: Path,
    result: Comparison,
    facts: Mapping[str, str],
    seconds: Mapping[str, float | None],
    invariances: Invariances | None = None,
    curves: Curves | None = None,
) -> None:
    """A comparison as files in `output`, and on the terminal.

    Args:
        facts: what was compared, by name.
        seconds: what took how long, by name.
        invariances, curves: of a model.
    """
    output.mkdir(parents=True, exist_ok=True)
    summary, tables = result.summary(seconds), [table(result)]
    if result.undefined:
        summary["undefined"] = result.undefined
    if invariances is not None:
        summary["invariances"] = invariances.summary()
        write_rows(output / "invariances.csv", invariances.rows)
        tables.append(invariances_table(invariances))
    write_json(output / "metrics.json", summary)
    write_rows(output / "metrics.csv", result.rows)
    write_examples(output / "audio", result)
    report = write_report(output / "report.html", result, invariances, "Audio super-resolution", facts, curves or {})
    text = "\n\n".join([*tables, f"Report: {report.resolve()}\n"])
    (output / "summary.txt").write_text(text, encoding="utf-8")
    logger.info("%s", text)


def training_curves(model: Path) -> Curves:
    """The curves of the run that the model is of, from its CSV log; none where there is no log."""
    points = read_curves(run_of(model))
    panels = {title: {name: points[name] for name in names if name in points} for title, names in CURVES.items()}
    return {title: series for title, series in panels.items() if series}


def run(words: list[str]) -> None:
    """Answer the command line."""
    execute(COMMAND, words, work)
