"""What the page Train shows of runs and folders."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from saga_sr.app.data_check import FolderReport
from saga_sr.app.run_list import Run
from saga_sr.app.setting_words import WORDS as SETTING_WORDS
from saga_sr.app.train_view import MOST_POINTS, report_html, runs_value, thinned
from saga_sr.app.train_words import WORDS
from saga_sr.app.training_runs import TrainingRuns
from saga_sr.app.words import Words

ENGLISH = Words("en", SETTING_WORDS, WORDS)


def test_long_curves_are_thinned_to_means_that_end_as_they_do() -> None:
    assert thinned([(0, 1.0), (1, math.nan), (2, math.inf), (3, 2.0)]) == [(0, 1.0), (3, 2.0)]
    long = [(step, float(step % 2)) for step in range(10_001)]
    short = thinned(long)
    assert len(short) <= MOST_POINTS + 1 and short[-1] == long[-1]
    assert all(0.35 < value < 0.65 for _, value in short[:-1])


def test_names_of_files_are_never_markup() -> None:
    bad = [(Path("<script>.mp3"), "<script>.mp3 cannot be read.")] * 10
    said = report_html(FolderReport(files=20, opened=10, bad=bad, edges_hz=[16_000.0] * 3), 22_050, ENGLISH)
    assert "<script>" not in said and "&lt;script&gt;" in said
    assert "This data ends at 16 kHz" in said and "and 2 more" in said and "10 of 20 looked at" in said


def test_without_runs_there_is_a_sentence(tmp_path: Path) -> None:
    shown = runs_value(TrainingRuns([tmp_path], []), ENGLISH, "gone", ["gone"])
    assert shown["rows"] == [] and shown["curves"] == [] and shown["empty"].startswith("No runs yet")


def test_the_table_shows_the_changes_that_runs_do_not_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(name: str, *changes: str) -> Run:
        return Run(tmp_path / name, "demo", changes, "finished", "", 9, 9, None, "", False, {})

    runs, both = TrainingRuns([tmp_path], []), ("seed=1", "data=folder")
    for there, shown in (
        ([run("a", *both)], ["seed=1 data=folder"]),
        ([run("a", *both, "loss=mse"), run("b", *both, "ema=none")], ["loss=mse", "ema=none"]),
    ):
        monkeypatch.setattr(runs, "runs", lambda there=there: there)
        assert [row["changes"] for row in runs_value(runs, ENGLISH, None, [])["rows"]] == shown


def test_it_is_said_how_much_of_the_data_is_whole() -> None:
    def said(*edges_hz: float) -> str:
        return report_html(FolderReport(files=4, opened=4, edges_hz=[*edges_hz]), 22_050, ENGLISH)

    assert "goes as far up as the model does" in said(21_000, 22_050, 24_000, 22_050)
    assert "1 of 4 measured recordings go as far up" in said(8000, 8000, 8000, 22_050)
    assert "ends at 8 kHz" in said(8000, 8000, 8000, 8000)
