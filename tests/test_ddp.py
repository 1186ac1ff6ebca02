"""Several processes: they train as one does, and end together."""

from __future__ import annotations

import csv
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from conftest import QUICK
from programs import Running, changed, program
from safetensors.torch import load_file

from saga_sr.core.run_folder import FAILED, FINISHED, RUNNING, STOPPED, newest_whole, read_curves, read_record
from saga_sr.packages.checkpoint import load_checkpoint
from saga_sr.packages.export import export_package
from saga_sr.training.record import write_record

pytestmark = pytest.mark.slow
RUN = changed(["train.py", "experiment=demo", *QUICK], "trainer.precision=32-true", "data.epoch_size=48")
FIVE = ["trainer.max_steps=5", "trainer.val_check_interval=5"]
TWO = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]


def distance(a: Path, b: Path) -> float:
    """The largest difference between the weights of two runs."""
    ours, theirs = (load_file(run / "model/model.safetensors") for run in (a, b))
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    done = program(*changed(RUN, *FIVE, "data.batch_size=8"), f"hydra.run.dir={folder}")
    assert done.returncode == 0, done.stderr
    return folder


def dies_once(folder: Path, machines: int, *words: str) -> Path:
    """The run of two processes on each of so many `machines` of whose last one is killed as it begins the third step.

    As docs/clusters.md says; torchrun starts all of them again.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    death = ["_target_=signals.SignalledOnce", f"rank={2 * machines - 1}", "step=3", f"done={folder / 'died'}"]
    callbacks = ["callbacks.newest.every=2", *(f"+callbacks.death.{word}" for word in death)]
    run, log = folder / "run", folder / "log"
    command = changed(RUN[1:], *FIVE, "trainer.accelerator=cpu", *words, *callbacks, f"hydra.run.dir={run}")
    started = [
        Running("tests/elastic.py", str(machines), address, "train", *command, stdout=log, stderr=log)
        for _ in range(machines)
    ]
    assert [machine.wait() for machine in started] == [0] * machines, log.read_text()
    assert (folder / "died").exists()
    record = read_record(run)
    assert record is not None and record["status"] == FINISHED and record["attempts"] == 2
    # What was done twice was the same, bit for bit; the last step before the kill may not have been told of.
    with (run / "csv/metrics.csv").open() as file:
        losses = [(row["step"], row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    assert sorted(step for step, _ in {*losses}) == ["0", "1", "2", "3", "4"]
    return run


def test_two_machines_go_on_after_one_of_four_processes_is_killed_and_equal_one(
    alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")
    run = dies_once(tmp_path, 2, "trainer=ddp", "trainer.devices=2", "trainer.num_nodes=2", "data.batch_size=2")
    record = read_record(run)
    assert record is not None and [attempt["from"] for attempt in record["history"]] == [None, "step-2.ckpt"]
    equal(run, alone)


def test_shared_out_weights_and_average_equal_one_process_which_goes_on_from_their_checkpoint(
    alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kill comes while a checkpoint may be being written: it is whole or absent."""
    monkeypatch.setenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")
    run = dies_once(tmp_path, 1, "trainer=fsdp", "trainer.devices=2", "data.batch_size=4")
    equal(run, alone)
    checkpoint = run / "checkpoints/step-4.ckpt"
    assert len([*checkpoint.glob("*.safetensors")]) == 2 and not [*checkpoint.parent.glob(".*")]
    # It holds the trained weights and their average; one process reads and exports both, and goes on from it.
    assert load_checkpoint(checkpoint).kind == "averaged" and load_checkpoint(checkpoint, "raw").step == 4
    export_package(checkpoint, tmp_path / "exported")
    going_on = changed(RUN, *FIVE, "data.batch_size=8", f"resume={checkpoint}")
    done = program(*going_on, f"hydra.run.dir={tmp_path / 'one'}")
    assert done.returncode == 0, done.stderr
    assert distance(tmp_path / "one", alone) < 1e-5
    # A damaged part is named, and the checkpoint before it taken.
    part = next((run / "checkpoints/step-5.ckpt").glob("*.safetensors"))
    part.write_bytes(part.read_bytes()[:-9])
    assert newest_whole(run / "checkpoints") == checkpoint
    part.unlink()
    assert newest_whole(run / "checkpoints") == checkpoint


def equal(run: Path, alone: Path) -> None:
    """Weights and curves are those of one process, but for rounding."""
    assert distance(run, alone) < 1e-5
    ours, theirs = read_curves(run), read_curves(alone)
    for name in ("train/loss", "train/gradient_norm", "val/loss", "val/lsd_hf", "val/si_sdr"):
        assert ours[name] == [(step, pytest.approx(value, rel=1e-4)) for step, value in theirs[name]], name


def test_jobs_of_a_sweep_have_two_processes_each_that_equal_one_and_one_folder(alone: Path, tmp_path: Path) -> None:
    # An earlier attempt at the first was killed before its first checkpoint.
    first = tmp_path / "0"
    first.mkdir()
    write_record(first, {"status": RUNNING, "attempts": 2, "history": [{"began": "yesterday"}]})
    done = program(
        RUN[0], "-m", *changed(RUN[1:], "seed=0,1", *FIVE, *TWO, "data.batch_size=4"), f"hydra.sweep.dir={tmp_path}",
        "hydra.sweep.subdir=${hydra:job.num}", spares=2,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "multirun.yaml"]
    assert (done.stdout + done.stderr).count("Attempt 2, begun at yesterday, left no whole checkpoint") == 1
    assert done.stdout.count("] - Training 0.") == done.stdout.count("] - Trained 5 steps") == 2
    record = read_record(first)
    assert record is not None and record["attempts"] == 3
    assert [attempt["status"] for attempt in record["history"]] == ["lost", FINISHED]
    equal(first, alone)
    assert distance(tmp_path / "1", alone) > 1e-5


def test_an_error_of_the_ranks_is_answered_with_its_sentence(tmp_path: Path) -> None:
    done = program(*changed(RUN, *FIVE, *TWO, "backbone.width=33"), f"hydra.run.dir={tmp_path}", spares=1)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: backbone.width=33 cannot be divided into 2 heads")


def test_a_rank_that_dies_ends_the_job(tmp_path: Path) -> None:
    death = ["_target_=signals.SignalledOnce", "rank=1", "step=3", f"done={tmp_path / 'died'}"]
    words = [*changed(RUN, *FIVE, *TWO), *(f"+callbacks.death.{word}" for word in death)]
    run = Running(*words, f"hydra.run.dir={tmp_path}", stderr=tmp_path / "stderr.log", spares=1)
    processes: set[psutil.Process] = set()
    while run.poll() is None:
        with suppress(psutil.NoSuchProcess):
            processes.update(psutil.Process(run.pid).children(recursive=True))
        time.sleep(0.1)
    assert run.poll() != 0 and (tmp_path / "died").exists()
    errors = (tmp_path / "stderr.log").read_text()
    assert "rank      : 1" in errors and "SIGKILL" in errors
    record = read_record(tmp_path)
    assert record is not None and record["status"] == FAILED
    assert errors.splitlines()[-1] == f"error: {record['reason']}"
    assert len(processes) >= 3
    assert not any(process.is_running() and process.status() != "zombie" for process in processes)


def test_sigterm_stops_all_ranks_at_one_step_with_a_checkpoint(tmp_path: Path) -> None:
    long = changed(RUN, *TWO, "trainer.max_steps=100000")
    run = Running(*long, f"hydra.run.dir={tmp_path}", stderr=tmp_path / "stderr.log", spares=1)
    while run.poll() is None and len(read_curves(tmp_path).get("train/loss", [])) < 3:
        time.sleep(0.1)
    run.send_signal(signal.SIGTERM)
    assert run.wait(timeout=60) == 128 + signal.SIGTERM
    record = read_record(tmp_path)
    assert record is not None and record["status"] == STOPPED
    step = int(record["reason"].split()[-1])
    assert (tmp_path / f"checkpoints/step-{step}.ckpt").is_file()
