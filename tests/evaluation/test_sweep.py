from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from saga_sr.core.errors import DataError
from saga_sr.evaluation.sweep import best_run, differing, find_runs, variants, write_runs
from saga_sr.files.writing import write_audio
from saga_sr.pages.sweep_page import write_sweep_page


def make_run(folder: Path, overrides: list[str], values: list[float], status: str = "finished") -> None:
    folder.mkdir(parents=True)
    record = {"status": status, "overrides": overrides, "steps": 10 * len(values), "seconds": 1.0}
    record["reason"] = "it broke <here>" if status == "failed" else None
    (folder / "run.json").write_text(json.dumps(record))
    rows = "".join(f"{10 * i},{value},{20 - value},{1 - value}\n" for i, value in enumerate(values))
    (folder / "csv").mkdir()
    (folder / "csv/metrics.csv").write_text("step,val/lsd_hf,val/si_sdr,val/energy_hf_db\n" + rows)
    for name in ("input", "output", "reference"):
        write_audio(folder / f"validation/0_{name}.flac", 0.1 * torch.randn(1, 9000), 44_100)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    for head, end in (("linear", 3.0), ("gaussian", 1.0)):
        for seed in (1, 2):
            overrides = ["experiment=demo", f"backbone.head={head}", f"seed={seed}"]
            make_run(tmp_path / f"{head}{seed}", overrides, [5.0, end - 0.5, end + seed])
    make_run(tmp_path / "broken", ["experiment=demo", "backbone.head=odd", "seed=1"], [], "failed")
    return tmp_path


def test_only_what_differs_is_a_column_and_seeds_are_gathered(sweep: Path) -> None:
    runs = find_runs([sweep])
    assert differing(runs) == ["backbone.head", "seed"]
    gathered = {variant.name: variant for variant in variants(runs)}
    assert set(gathered) == {"backbone.head=linear", "backbone.head=gaussian", "backbone.head=odd"}
    linear = gathered["backbone.head=linear"]
    assert sorted(run.final("val/lsd_hf") for run in linear.runs) == [4.0, 5.0]
    assert linear.spread([run.final("val/lsd_hf") for run in linear.runs]) == (4.5, pytest.approx(0.5**0.5))
    assert {run.best("val/lsd_hf") for run in linear.runs} == {2.5}
    assert {run.best("val/si_sdr") for run in linear.runs} == {17.5}
    assert {run.best("val/energy_hf_db") for run in linear.runs} == {-1.5}  # the nearest to 0
    assert gathered["backbone.head=odd"].runs[0].final("val/lsd_hf") is None


def test_the_csv_has_a_row_for_each_run(sweep: Path) -> None:
    with write_runs(sweep / "c.csv", find_runs([sweep])).open() as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    assert rows["gaussian2"]["backbone.head"] == "gaussian" and rows["gaussian2"]["seed"] == "2"
    assert rows["gaussian2"]["final val/lsd_hf"] == "3.0" and rows["gaussian2"]["best val/lsd_hf"] == "0.5"
    assert rows["broken"]["status"] == "failed" and "it broke" in rows["broken"]["reason"]
    assert "experiment" not in rows["broken"]


def test_the_page_shows_figures_curves_clips_and_failures(sweep: Path) -> None:
    text = write_sweep_page(sweep / "c.html", find_runs([sweep]), "A sweep").read_text()
    assert "http" not in text and "<script" not in text
    assert "it broke &lt;here&gt;" in text and "all with</dt><dd>experiment=demo" in text
    assert "1.00" not in text.split("</table>")[0]  # no final of 1.00: the means are 2.50 and 4.50
    assert '<td class=best>2.50 <span class="soft">± 0.71</span></td>' in text
    assert '<td class=best>−1.50 <span class="soft">± 0.71</span></td>' in text and "HF energy (dB) → 0" in text
    assert text.count("<audio") == 5 + 2  # the output of each run, input and reference once
    assert text.count("<img") == 7 + 3  # and three panels of curves
    assert f"backbone.head=linear, seed=2: <code>model={sweep}/linear2</code>" in text
    assert f"model={sweep}/broken" not in text


def test_names_that_are_not_utf8_are_written_out(tmp_path: Path) -> None:
    make_run(tmp_path / "run\udcff", ["experiment=demo", "data.path=music\udcff"], [1.0])
    runs = find_runs([tmp_path])
    assert "run\\xff" in write_runs(tmp_path / "c.csv", runs).read_text()
    assert "data.path=music\\xff" in write_sweep_page(tmp_path / "c.html", runs, "Comparison of \udcff").read_text()


def test_the_best_is_a_finished_run_by_its_last_distance_above_the_cutoff(sweep: Path) -> None:
    make_run(sweep / "stopped", ["backbone.head=odd", "seed=2"], [0.1], "stopped")
    best = best_run(find_runs([sweep]))
    assert best is not None and best.name == "gaussian1"
    assert best_run([run for run in find_runs([sweep]) if run.status != "finished"]) is None


def test_a_folder_without_runs_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no runs"):
        find_runs([tmp_path])
    with pytest.raises(DataError, match="There is no folder"):
        find_runs([tmp_path / "x"])
