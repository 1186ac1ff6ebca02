from __future__ import annotations

import json
from pathlib import Path

import torch

from saga_sr.errors import AudioError
from saga_sr.evaluation.comparison import Clip, compare_methods, table, write_json, write_rows
from saga_sr.evaluation.report import write_report

RATE = 44_100


def comparison(examples: int = 2):
    clips = [Clip(f"clip <{i}>", 0.1 * torch.randn(1, 20_000), "white noise") for i in range(3)]
    clips.append(Clip("longer", 0.1 * torch.randn(1, 30_000)))
    methods = {"input": lambda lr, cutoff: lr, "output": lambda lr, cutoff: lr + 0.01 * torch.randn(lr.shape)}
    return compare_methods(clips, methods, [4000, 8000], RATE, batch_size=2, examples=examples)


def test_summary_has_the_means_of_every_metric_by_cutoff_and_method(tmp_path: Path) -> None:
    result = comparison()
    write_json(tmp_path / "metrics.json", result.summary({"train": 1.0, "evaluate": 2.0}))
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["clips"] == 4 and content["seconds"] == {"train": 1.0, "evaluate": 2.0}
    assert set(content["cutoffs"]) == {"4000", "8000"}
    lsd_hf = content["cutoffs"]["4000"]["lsd_hf"]
    rows = [row.metrics["lsd_hf"] for row in result.rows if row.cutoff_hz == 4000 and row.method == "output"]
    assert len(rows) == 4 and abs(lsd_hf["output"] - sum(rows) / 4) < 1e-4 and lsd_hf["output"] < lsd_hf["input"]
    write_rows(tmp_path / "metrics.csv", result)
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 1 + 4 * 2 * 2
    assert "| 8 kHz" in table(result)


def test_a_failing_batch_is_named_and_the_rest_is_done() -> None:
    def fails(lr: torch.Tensor, cutoff: torch.Tensor) -> torch.Tensor:
        if lr.shape[-1] == 30_000:
            raise AudioError("this one is broken.")
        return lr

    clips = [Clip("a", torch.randn(1, 20_000)), Clip("b", torch.randn(1, 30_000))]
    result = compare_methods(clips, {"output": fails}, [4000], RATE)
    assert [row.clip for row in result.rows] == ["a"] and result.failures == ["this one is broken."]


def test_the_report_is_one_self_contained_page(tmp_path: Path) -> None:
    result = comparison(examples=2)
    curves = {"loss": {"train/loss": [(1.0, 2.0), (2.0, 1.0)], "val/loss": [(2.0, 1.5)]}}
    page = write_report(tmp_path / "report.html", result, "A & B", {"model": "m"}, curves).read_text()
    assert "http" not in page and "<script" not in page
    assert page.count("<audio") == 2 * 2 * 3  # clips x cutoffs x (input, output, reference)
    assert page.count("data:image/png") == 2 * 2 + 1
    assert "clip &lt;0&gt;" in page and "A &amp; B" in page
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
