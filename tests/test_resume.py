"""Runs that are stopped, by asking or by force, and go on: real processes."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest
import torch
from conftest import QUICK
from programs import Running, changed, program
from safetensors.torch import load_file

from saga_sr.core.run_folder import FINISHED, RUNNING, STOPPED, read_curves, read_record

pytestmark = pytest.mark.slow
STEPS = 60
# Validation, checkpoints and epochs fall apart, so that a stop can come between any two.
RUN = [
    "train.py", "experiment=demo", *QUICK, f"trainer.max_steps={STEPS}", "trainer.val_check_interval=7",
    "callbacks.newest.every=4", "callbacks.throughput=null", "callbacks.learning_rate=null",
]  # fmt: skip


def start(folder: Path) -> Running:
    log = folder.parent / f"{folder.name}.log"
    return Running(*RUN, f"hydra.run.dir={folder}", stdout=log, stderr=log)


def stop_at(folder: Path, step: int, number: int, delay_s: float) -> int:
    """Start or go on with the run in `folder`, signal it once it has logged a step from `step` on (at once for a
    negative one); its exit status."""
    log = folder / "csv/metrics.csv"
    before = log.stat().st_size if log.is_file() else 0
    run = start(folder)
    while step >= 0 and run.poll() is None:
        if log.is_file() and log.stat().st_size > before:
            if max((s for s, _ in read_curves(folder).get("train/loss", [])), default=-1) >= step:
                break
            before = log.stat().st_size
        time.sleep(0.02)
    time.sleep(delay_s)
    run.send_signal(number)
    return run.wait(timeout=60)


def equal(folder: Path, whole: Path) -> None:
    """Losses, validation and final weights are those of the uninterrupted run, bit for bit."""
    assert read_curves(folder) == read_curves(whole)
    ours, theirs = (load_file(run / "model/model.safetensors") for run in (folder, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    done = program(*RUN, f"hydra.run.dir={folder}")
    assert done.returncode == 0, done.stderr
    assert len(read_curves(folder)["train/loss"]) == STEPS
    return folder


def test_a_run_that_is_asked_to_stop_saves_itself_and_goes_on_as_if_it_had_not(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for attempt, (step, number) in enumerate([(5, signal.SIGTERM), (13, signal.SIGINT), (22, signal.SIGTERM)], 1):
        assert stop_at(folder, step, number, 0) == 128 + number
        record = read_record(folder)
        assert record is not None
        assert (record["status"], record["attempts"]) == (STOPPED, attempt)
        assert signal.Signals(number).name in record["reason"]
    assert start(folder).wait(timeout=60) == 0
    equal(folder, whole)


def test_seven_kills_lose_no_checkpoint_and_leave_the_curve_unbroken(whole: Path, tmp_path: Path) -> None:
    folder, instants, checkpoint = tmp_path / "run", random.Random(0), -1
    for kill in range(7):
        # In the midst of starting, or a few steps further on than the last time.
        starting = kill in (0, 4)
        step = -1 if starting else 6 * kill
        stop_at(folder, step, signal.SIGKILL, instants.random() * (1.5 if starting else 0.3))
        steps = [int(path.stem.removeprefix("step-")) for path in (folder / "checkpoints").glob("step-*.ckpt")]
        assert max(steps, default=-1) >= checkpoint
        checkpoint = max(steps, default=-1)
    assert start(folder).wait(timeout=60) == 0
    record = read_record(folder)
    assert record is not None and record["status"] == FINISHED and record["attempts"] > 4
    equal(folder, whole)
    assert not list((folder / "checkpoints").glob(".*"))


def test_a_kill_before_the_first_checkpoint_is_said_and_counted(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    stop_at(folder, 0, signal.SIGKILL, 0)
    # Long before the fourth step's, one that is due at once.
    early = [f"hydra.run.dir={folder}", "callbacks.newest.every=1000", "callbacks.newest.first_after_s=0"]
    log = tmp_path / "log"
    again = Running(*changed(RUN, *early), stdout=log, stderr=log)
    while again.poll() is None and not list((folder / "checkpoints").glob("step-*.ckpt")):
        time.sleep(0.02)
    again.kill()
    again.wait()
    assert log.read_text().count("Attempt 1, begun at ") == 1 and "training begins anew" in log.read_text()
    done = program(*RUN, f"hydra.run.dir={folder}")
    assert "anew" not in done.stdout + done.stderr and "Going on from" in done.stdout
    record = read_record(folder)
    assert record is not None and record["attempts"] == 3
    assert [attempt["from"] for attempt in record["history"]] == [None, None, "step-1.ckpt"]
    assert [attempt["status"] for attempt in record["history"]] == ["lost", "lost", FINISHED]
    equal(folder, whole)


def test_a_truncated_checkpoint_is_named_and_the_one_before_taken(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    stop_at(folder, 14, signal.SIGKILL, 0)
    record = read_record(folder)
    assert record is not None and record["status"] == RUNNING
    newest = max((folder / "checkpoints").glob("step-*.ckpt"), key=lambda path: int(path.stem.split("-")[1]))
    newest.write_bytes(newest.read_bytes()[:5000])
    assert start(folder).wait(timeout=60) == 0
    assert f"{newest.name} is damaged" in (tmp_path / "run.log").read_text()
    equal(folder, whole)


def test_what_is_there_is_not_overwritten_unasked(whole: Path, tmp_path: Path) -> None:
    again = program(*RUN, f"hydra.run.dir={whole}")
    assert again.returncode == 1 and "holds a finished run; say resume=never" in again.stderr.splitlines()[-1]
    folder = tmp_path / "run"
    stop_at(folder, 5, signal.SIGKILL, 0)
    other = program(*RUN, f"hydra.run.dir={folder}", "optimizer.lr=0.1")
    assert other.returncode == 1 and "optimizer.lr was 0.002, is 0.1" in other.stderr.splitlines()[-1]
    anew = program(*RUN, f"hydra.run.dir={folder}", "resume=never")
    assert anew.returncode == 0, anew.stderr
    record = read_record(folder)
    assert record is not None and record["attempts"] == 1
    equal(folder, whole)
