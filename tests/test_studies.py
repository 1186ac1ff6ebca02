"""Tables of studies are what their commands make of the figures that are kept."""

from __future__ import annotations

import csv
import re
import statistics
from pathlib import Path

import pytest
from programs import ROOT

from experiments.sweep_study import SweepStudy
from experiments.tables import of_runs, put, spread

STUDIES = ROOT / "experiments"


@pytest.mark.parametrize("study", ["heads_and_objectives", "jat_losses"])
def test_a_table_has_the_means_and_spreads_of_the_runs_that_are_kept(study: str) -> None:
    page = (STUDIES / study / "README.md").read_text()
    with (STUDIES / study / "comparison.csv").open(newline="") as lines:
        runs = [*csv.DictReader(lines)]
    cells = re.search(rf"<!-- table: {study} -->\n+\|.*\n\|.*\n\|(.*)\n", page)[1].split("|")
    row = [cell.strip().strip("`") for cell in cells]
    same = [run for run in runs if {*row[: row.index("3")]} <= {*run.values()}]
    values = [float(run["final val/lsd_hf"]) for run in same]
    assert len(values) == 3
    assert f"{statistics.fmean(values):.2f} ± {statistics.stdev(values):.2f}" in row


def test_runs_that_differ_in_their_seed_are_one_row_and_unfinished_ones_none(tmp_path: Path) -> None:
    kept = tmp_path / "comparison.csv"
    lines = ["a,1,finished,1.0", "a,2,finished,2.0", "b,1,finished,4.0", "b,2,failed,9.0", "c,1,finished,"]
    kept.write_text("\n".join(["loss,seed,status,final", *lines]))
    rows = of_runs(kept, {"loss": "the loss"}, {"final": ("LSD", 1)})
    assert rows == [
        ["the loss", "seeds", "LSD"],
        ["`a`", "2", "1.5 ± 0.7"],
        ["`b`", "1", "4.0"],
        ["`c`", "1", "-"],
    ]


def test_what_was_not_run_is_a_row_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "comparison.csv").write_text("loss,seed,status,final\nb,1,finished,1.0\n")
    page, settings = tmp_path / "README.md", {"loss": "c,b", "seed": "1"}
    study = SweepStudy(page, "name", settings, [], {"loss": "loss"}, {"final": ("LSD", 1)})
    assert study.rows() == [["loss", "seeds", "LSD"], ["`c`", "not run", "-"], ["`b`", "1", "1.0"]]


def test_a_table_takes_the_place_of_the_one_of_its_name(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    place = "<!-- table: {0} -->\nold\n<!-- end of table -->\n"
    page.write_text(f"Before\n{place.format('mine')}between\n{place.format('other')}after\n")
    for _ in range(2):
        put(page, "mine", [["a"], [r"\1"]])
    text = page.read_text()
    assert text.count(r"| \1 |") == 1 and text.count("old") == 1
    assert all(word in text for word in ("Before", "between", "after"))
    with pytest.raises(ValueError, match="place"):
        put(page, "third", [["a"]])


def test_one_value_has_no_spread() -> None:
    assert spread([1.0]) == "1.00"
    assert spread([1.0, 3.0], 1) == "2.0 ± 1.4"
    assert spread([]) == "-"


def test_each_study_stands_in_the_list() -> None:
    listed = {*re.findall(r"\]\((\w+)/README\.md\)", (STUDIES / "README.md").read_text())}
    assert listed == {page.parent.name for page in STUDIES.glob("*/README.md")}
