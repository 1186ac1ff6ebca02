"""Runs in folders, told by what is there: states, figures, and processes that are theirs or not."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import model_config
from omegaconf import OmegaConf

from saga_sr.app.run_list import LOST, RunReader, find_runs
from saga_sr.app.run_process import CONSOLE, NOTE, process_of, stop
from saga_sr.app.training_runs import TrainingRuns, key_of, split
from saga_sr.app.usage import Meter
from saga_sr.core.errors import UsageError
from saga_sr.core.run_folder import FAILED, FINISHED, RUNNING, STOPPED

CONFIG = {
    "task_name": "demo",
    "trainer": {"max_steps": 100, "devices": 1, "accumulate_grad_batches": 2},
    "data": {"batch_size": 4},
    "model": model_config(),
}


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")


def make(folder: Path, status: str = RUNNING, began: float | None = None, **fields: Any) -> Path:
    """A run's folder, as training leaves it."""
    began = time.time() if began is None else began
    machine = {"host": platform.node(), "pid": fields.pop("pid", 2**22 + 1)}
    (folder / "csv").mkdir(parents=True)
    (folder / "checkpoints").mkdir()
    OmegaConf.save(OmegaConf.create(CONFIG), folder / "config.yaml")
    record = {
        "status": status, "began": iso(began), "history": [{"began": iso(began)}], "machine": machine,
        "overrides": ["experiment=demo", "optimizer.lr=0.1", f"hydra.run.dir={folder}"],
    } | fields  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "csv/metrics.csv").write_text(
        "step,train/loss,val/lsd_hf,val/si_sdr,system/samples_per_s\n"
        "0,3.0,,,\n9,2.0,1.5,10,40\n19,1.0,1.2,8,16\n19,1.1,1.3,9,16\n"
    )
    return folder


def note(folder: Path, **fields: Any) -> None:
    (folder / NOTE).write_text(json.dumps(fields))


def test_runs_are_found_whoever_has_started_them_and_links_are_not_followed(tmp_path: Path) -> None:
    old = make(tmp_path / "a/deep/old", FINISHED)
    os.utime(old / "run.json", (1, 1))
    new = make(tmp_path / "new", FINISHED)
    (tmp_path / "b").mkdir()
    make(tmp_path / "elsewhere/hidden/.run")
    (tmp_path / "b/link").symlink_to(old)
    assert find_runs([tmp_path, tmp_path / "a"]) == [new, old]


def test_a_run_says_how_far_it_is_and_how_well_it_does(tmp_path: Path) -> None:
    run = RunReader().read(make(tmp_path / "run", pid=os.getpid()))
    assert (run.state, run.here, run.recipe, run.changes) == (RUNNING, True, "demo", ("optimizer.lr=0.1",))
    assert (run.step, run.steps) == (20, 100)
    # The value of a step that is logged twice is the later one.
    assert run.figures == {"val/lsd_hf": (1.3, 1.3), "val/si_sdr": (9.0, 10.0)}
    assert run.steps_per_s == pytest.approx(2) and run.left_s == pytest.approx(40)


def test_what_has_changed_is_read_again(tmp_path: Path) -> None:
    reader, folder = RunReader(), make(tmp_path / "run", FINISHED)
    assert reader.read(folder).step == 20
    with (folder / "csv/metrics.csv").open("a") as log:
        log.write("29,0.5,1.0,,\n")
    assert reader.read(folder).step == 30


def test_states_of_runs_that_no_process_trains(tmp_path: Path) -> None:
    reader = RunReader()
    assert reader.read(make(tmp_path / "lost")).state == LOST
    assert reader.read(make(tmp_path / "failed", FAILED, reason="no disk")).reason == "no disk"
    assert reader.read(make(tmp_path / "other", machine={"host": "another", "pid": 1})).state == RUNNING
    stopped = make(tmp_path / "stopped")
    note(stopped, pid=2**22 + 1, began=0.0, words=[], stop_asked=1.0)
    assert reader.read(stopped).state == STOPPED
    # One that ended before there was a record.
    early = tmp_path / "early"
    early.mkdir()
    note(early, pid=2**22 + 1, began=1.0, words=["experiment=demo"])
    (early / CONSOLE).write_text("Training\rTraining\nerror: There is no folder /x; give one.\n")
    assert (reader.read(early).state, reader.read(early).reason) == (FAILED, "There is no folder /x; give one.")


def test_a_process_that_has_only_the_number_of_a_runs_is_left_alone(tmp_path: Path) -> None:
    began = psutil.Process().create_time()
    folder = make(tmp_path / "run", FINISHED)
    note(folder, pid=os.getpid(), began=began)
    assert process_of(folder) is not None
    note(folder, pid=os.getpid(), began=began - 3600)
    assert process_of(folder) is None
    assert process_of(make(tmp_path / "elsewhere", pid=os.getpid())) is not None
    assert process_of(make(tmp_path / "before", pid=os.getpid(), began=began - 3600)) is None
    assert process_of(make(tmp_path / "another", machine={"host": "another", "pid": os.getpid()})) is None
    with pytest.raises(UsageError, match="not being trained on this machine"):
        stop(folder)


def test_a_process_that_has_ended_is_not_taken_for_alive_while_nobody_has_waited_for_it(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    folder = make(tmp_path / "run", FINISHED)
    note(folder, pid=ended.pid, began=psutil.Process(ended.pid).create_time())
    while psutil.Process(ended.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)
    assert process_of(folder) is None
    ended.wait()


def test_cores_and_memory_are_those_of_all_processes_of_a_run() -> None:
    meter, us = Meter(), psutil.Process()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        first = meter.of(us)
        assert first is not None and first.cpu is None and first.memory > us.memory_info().rss / 2
        sum(range(2_000_000))
        second = meter.of(us)
        assert second is not None and second.cpu is not None and second.cpu > 0
        child.communicate(b"\n")


def test_only_runs_in_the_folders_that_were_named_are_touched(tmp_path: Path) -> None:
    inside, outside = tmp_path / "runs", tmp_path / "others"
    make(outside / "theirs", STOPPED)
    inside.mkdir()
    runs = TrainingRuns([outside], [inside])
    theirs = runs.run(key_of(outside / "theirs"))
    assert [run.folder for run in runs.runs()] == [theirs.folder]
    for work in (runs.stop, runs.resume, runs.export):
        with pytest.raises(UsageError, match="lies in no folder"):
            work(key_of(theirs.folder))
    with pytest.raises(UsageError, match="no such run"):
        runs.stop(key_of(tmp_path / "elsewhere"))
    for name in ("../mine", "a/b", "", ".hidden", "x" * 101, "-m"):
        with pytest.raises(UsageError, match="cannot be called"):
            runs.plan("demo", "", [], name)
    with pytest.raises(UsageError, match="lies in no folder"):
        runs.plan("demo", "/etc", [], "mine")
    with pytest.raises(UsageError, match="start it with write=FOLDER"):
        TrainingRuns([outside], []).plan("demo", "", [], "mine")


def test_clips_are_only_those_of_validation(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", FINISHED)
    (folder / "validation").mkdir()
    (folder / "validation/0_output.flac").write_bytes(b"")
    (folder / "validation/1_output.flac").symlink_to("/etc/passwd")
    runs, key = TrainingRuns([tmp_path], []), key_of(folder)
    assert runs.clips(runs.run(key)) == [0, 1]
    assert runs.clip(key, 0, "output").name == "0_output.flac"
    for number, name in ((1, "output"), (0, "input"), (0, "../../run")):
        with pytest.raises(UsageError):
            runs.clip(key, number, name)


def test_changes_are_split_as_in_a_shell() -> None:
    assert split("optimizer.lr=1e-4 # less\n'data.path=/my songs'") == ["optimizer.lr=1e-4", "data.path=/my songs"]
    with pytest.raises(UsageError, match="cannot be read"):
        split("data.path='/x")
