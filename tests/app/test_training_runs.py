"""A training run that the app starts: a process of its own, watched, stopped, gone on with and handed on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import QUICK

import saga_sr
from saga_sr.app.run_list import STARTING, STOPPING, Run
from saga_sr.app.run_process import NOTE, process_of
from saga_sr.app.training_runs import TrainingRuns, key_of
from saga_sr.core.errors import UsageError
from saga_sr.core.run_folder import FAILED, FINISHED, RUNNING, STOPPED, read_record

pytestmark = pytest.mark.slow
WITHIN_S = 600
SHORT = [*QUICK, "trainer.max_steps=80", "trainer.val_check_interval=40", "callbacks.newest.every=10"]


def wait_for(runs: TrainingRuns, key: str, true: Callable[[Run], bool]) -> Run:
    end = time.monotonic() + WITHIN_S
    while not true(run := runs.run(key)):
        assert time.monotonic() < end, (run.state, run.reason, run.step)
        time.sleep(0.1)
    return run


def test_started_watched_stopped_resumed_and_exported(tmp_path: Path) -> None:
    runs, key = TrainingRuns([], [tmp_path]), key_of(tmp_path / "mine")
    started = runs.start("demo", "", SHORT, "mine")
    assert started.state == STARTING and started.recipe == "demo"
    process = process_of(tmp_path / "mine")
    assert process is not None and os.getsid(process.pid) == process.pid  # it outlives the app and its terminal
    with pytest.raises(UsageError, match="is there already"):
        runs.start("demo", "", SHORT, "mine")
    with pytest.raises(UsageError, match="is being trained already"):
        runs.resume(key)
    again = TrainingRuns([], [tmp_path])  # of an app that is started anew
    run = wait_for(again, key, lambda run: run.step > 0)
    assert (run.state, run.here, run.steps) == (RUNNING, True, 80)
    assert again.usage(run) is not None
    # Somebody else's run, as far as the app knows.
    (tmp_path / "mine" / NOTE).unlink()
    assert process_of(tmp_path / "mine") == process
    assert again.stop(key).state == STOPPING
    run = wait_for(again, key, lambda run: not run.is_busy)
    assert run.state == STOPPED and "SIGTERM" in run.reason and run.step < 80
    package = again.export(key)
    assert package.name == f"mine-step-{run.step}" and saga_sr.load(package) is not None
    again.resume(key)
    run = wait_for(again, key, lambda run: not run.is_busy)
    assert (run.state, run.reason, run.step) == (FINISHED, "", 80)
    record = read_record(tmp_path / "mine")
    assert record is not None and record["attempts"] == 2
    assert [step for step, _ in run.curves["train/loss"]] == [*range(80)]
    assert again.clips(run) == [0, 1] and again.clip(key, 0, "reference").is_file()
    assert again.export(key) == tmp_path / "mine" and saga_sr.load(tmp_path / "mine") is not None
    with pytest.raises(UsageError, match="is finished"):
        again.resume(key)


def test_a_run_that_cannot_begin_says_why(tmp_path: Path) -> None:
    (tmp_path / "silence").mkdir()
    runs, key = TrainingRuns([tmp_path], [tmp_path]), key_of(tmp_path / "mine")
    runs.start("demo", str(tmp_path / "silence"), SHORT[:6], "mine")
    run = wait_for(runs, key, lambda run: not run.is_busy)
    assert (run.state, run.step) == (FAILED, 0) and "holds no audio files" in run.reason
