"""Preparation by real processes: shared, killed, run out of disk; and training from what it made."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import soundfile
from conftest import QUICK
from programs import Running, changed, program
from recordings import PREPARE, sound, write_recordings
from safetensors.torch import load_file
from test_resume import equal, read_curves

from saga_sr.cli.main import main

pytestmark = pytest.mark.slow
WORKERS = 2  # of PREPARE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("recordings"), 14, 3)


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("whole") / "out"
    done = program(*PREPARE, f"data.path={folder}", f"output={output}", fresh=True)
    assert done.returncode == 0, done.stderr
    assert "1 files were skipped, or parts of them" in done.stdout + done.stderr and "h of audio/min" in done.stderr
    return output


def results(output: Path) -> dict[str, bytes]:
    """All that training reads, and the card."""
    files = [path for path in output.rglob("*") if path.is_file() and path.parent.name in ("train", "validation")]
    files += [output / name for name in ("statistics.safetensors", "prepared.json", "README.md")]
    return {str(path.relative_to(output)): path.read_bytes() for path in files}


def start(folder: Path, output: Path, *more: str) -> Running:
    log = output.with_suffix(".log")
    words = [*changed(PREPARE, *more), f"data.path={folder}", f"output={output}"]
    return Running(*words, stdout=log, stderr=log, spares=WORKERS)


def done_parts(output: Path) -> int:
    return len(list(output.glob("job/done/*.safetensors")))


def test_killed_and_started_again_it_ends_with_the_same_bytes(folder: Path, whole: Path, tmp_path: Path) -> None:
    output, instants = tmp_path / "out", random.Random(1)
    for kill in range(3):
        before, run = done_parts(output), start(folder, output, f"num_workers={1 + kill % 2}")
        while run.poll() is None and done_parts(output) < before + 1:
            time.sleep(0.02)
        time.sleep(0.1 * instants.random())
        workers = psutil.Process(run.pid).children(recursive=True) if run.poll() is None else []
        run.kill()
        run.wait()
        # They notice that they are alone.
        _, alive = psutil.wait_procs(workers, timeout=20)
        assert not alive
        if kill == 0:
            assert 0 < done_parts(output) < done_parts(whole)
    assert start(folder, output).wait(timeout=120) == 0
    assert results(output) == results(whole)


def test_a_worker_that_is_killed_is_told_of(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    run = start(folder, output)
    while run.poll() is None and done_parts(output) < 2:
        time.sleep(0.02)
    workers = [child for child in psutil.Process(run.pid).children() if "forkserver" in " ".join(child.cmdline())]
    workers[0].kill()
    assert run.wait(timeout=60) == 1
    assert (tmp_path / "out.log").read_text().splitlines()[-1].startswith("error: A worker ended before its time")


def test_ctrl_c_ends_it_and_it_goes_on(folder: Path, whole: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    run = start(folder, output)
    while run.poll() is None and done_parts(output) < 2:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=30) == 130
    assert "Stopped." in (tmp_path / "out.log").read_text()
    assert "Traceback" not in (tmp_path / "out.log").read_text()
    assert start(folder, output).wait(timeout=120) == 0
    assert results(output) == results(whole)
    again = program(*PREPARE, f"data.path={folder}", f"output={output}")
    assert again.returncode == 0 and "is finished already" in again.stdout + again.stderr


def test_a_full_disk_stops_it_and_it_goes_on_with_more_space(folder: Path, whole: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", small]).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        words = [*PREPARE, f"data.path={folder}", f"output={small}/out"]
        stopped = program(*words, spares=WORKERS)
        assert stopped.returncode == 1
        assert stopped.stderr.splitlines()[-1].startswith(f"error: The disk of {small}/out is full; what was finished")
        done = done_parts(small / "out")
        subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
        assert done > 0 and program(*words, spares=WORKERS).returncode == 0
        assert results(small / "out") == results(whole)
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def status(*words: str) -> int:
    """That of the program, run in this process."""
    with pytest.raises(SystemExit) as ended:
        main([*changed(PREPARE[2:], *words)])
    return int(ended.value.code or 0)


def test_a_corpus_or_settings_that_changed_are_refused(
    folder: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, output = shutil.copytree(folder, tmp_path / "corpus"), shutil.copytree(whole, tmp_path / "out")
    plan = json.loads((output / "job/plan.json").read_text())
    for entry in plan["files"]:
        entry[0] = entry[0].replace(str(folder), str(corpus))
    (output / "job/plan.json").write_text(json.dumps(plan))
    job = [f"data.path={corpus}", f"output={output}"]
    assert status(*job) == 0
    assert status(*job, "seed=1", "degradations=3") == 1
    assert "was begun with another degradations, seed" in capsys.readouterr().err.splitlines()[-1]
    soundfile.write(corpus / "set0/song0.flac", sound(9, 30_000, 1, 44_100), 44_100)
    soundfile.write(corpus / "new.wav", sound(8, 30_000, 1, 44_100), 44_100)
    (corpus / "set1/song1.wav").unlink()
    assert status(*job) == 1
    assert "3 files have come, gone or changed" in capsys.readouterr().err.splitlines()[-1]
    assert results(output) == results(whole)


def test_wrong_input_is_answered_in_one_sentence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for arguments, message in (
        ([f"data.path={tmp_path / 'no'}", f"output={tmp_path}/a"], "There is no folder"),
        ([f"data.path={folder}", f"output={tmp_path}/file/b"], "cannot be written"),
        ([f"data.path={folder}", f"output={tmp_path}/c", "num_samples=10"], "shorter than a frame of the codec"),
        ([f"data.path={folder}", f"output={tmp_path}/d", "num_workers=0"], "num_workers=0 is not possible"),
        ([f"data.path={folder}", f"output={tmp_path}/e", "engine=spark"], "choose local or ray"),
        ([f"data.path={folder}", f"output={tmp_path}/f", "codec=dac"], "codec.path is required"),
    ):
        assert status(*arguments) in (1, 2)
        said = capsys.readouterr().err
        assert message in said.splitlines()[-1] and "Traceback" not in said


def test_memory_stays_small_with_a_long_file(tmp_path: Path) -> None:
    long = tmp_path / "audio"
    long.mkdir()
    for i in range(2):
        with soundfile.SoundFile(long / f"{i}.flac", "w", 44_100, 2) as file:
            minute = sound(i, 60 * 44_100, 2, 44_100)
            for _ in range(10):
                file.write(minute)
    words = ["-m", "saga_sr", "prepare", f"data.path={long}", f"output={tmp_path}/out", "num_workers=2"]
    run = Running(*words, spares=WORKERS)
    peak = 0
    while run.poll() is None:
        with suppress(psutil.NoSuchProcess):  # it ended while it was looked at
            own = [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]
            peak = max(peak, sum(process.memory_full_info().pss for process in own))
        time.sleep(0.3)
    assert run.wait() == 0 and 0 < peak < 3e9


# Training from latents, with the stops of tests/test_resume.py and the processes of tests/test_ddp.py.
STEPS = 40
TRAIN = [
    "train.py", "experiment=demo", *(x for x in QUICK if "pool" not in x), "data=latents", f"trainer.max_steps={STEPS}",
    "trainer.val_check_interval=7", "callbacks.newest.every=4", "callbacks.throughput=null",
    "callbacks.learning_rate=null", "data.num_workers=2", "codec.exponent=0.5",
]  # fmt: skip


def test_training_from_latents_goes_on_exactly_in_the_middle_of_an_epoch(whole: Path, tmp_path: Path) -> None:
    straight, folder = tmp_path / "straight", tmp_path / "run"
    done = program(*TRAIN, f"data.path={whole}", f"hydra.run.dir={straight}")
    assert done.returncode == 0, done.stderr
    for step in (9, 26):
        run = Running(*TRAIN, f"data.path={whole}", f"hydra.run.dir={folder}")
        while run.poll() is None and max((s for s, _ in read_curves(folder).get("train/loss", [])), default=-1) < step:
            time.sleep(0.02)
        run.kill()
        run.wait()
    assert program(*TRAIN, f"data.path={whole}", f"hydra.run.dir={folder}").returncode == 0
    equal(folder, straight)
    assert "Latents prepared from 13 recordings" in (folder / "model/README.md").read_text()


def test_two_processes_train_from_latents_as_one_does(whole: Path, tmp_path: Path) -> None:
    five = ["trainer.max_steps=5", "trainer.val_check_interval=5", "trainer.precision=32-true", "data.epoch_size=48"]
    common = changed([*TRAIN, f"data.path={whole}"], *five)
    alone = program(*changed(common, "data.batch_size=8"), f"hydra.run.dir={tmp_path}/one")
    assert alone.returncode == 0, alone.stderr
    two = program(
        *changed(common, "data.batch_size=4", "trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"),
        f"hydra.run.dir={tmp_path}/two", spares=1,
    )  # fmt: skip
    assert two.returncode == 0, two.stderr
    ours, theirs = (load_file(tmp_path / run / "model/model.safetensors") for run in ("two", "one"))
    assert max(float((ours[name] - theirs[name]).abs().max()) for name in ours) < 1e-5


def test_another_codec_is_refused_before_training(whole: Path, tmp_path: Path) -> None:
    said = program(*changed(TRAIN, "codec.exponent=0.35"), f"data.path={whole}", f"hydra.run.dir={tmp_path}")
    assert said.returncode == 1 and "were made by another codec" in said.stderr.splitlines()[-1]


def test_a_package_trained_from_latents_is_evaluated_on_the_held_out_audio(whole: Path, tmp_path: Path) -> None:
    done = program(*changed(TRAIN, "trainer.max_steps=2"), f"data.path={whole}", f"hydra.run.dir={tmp_path}/run")
    assert done.returncode == 0, done.stderr
    measured = program(
        "-m", "saga_sr", "evaluate", f"model={tmp_path}/run/model", "data=latents", f"data.path={whole}", "clips=2",
        "seconds=0.3", f"output={tmp_path}/report", "examples=1",
    )  # fmt: skip
    assert measured.returncode == 0, measured.stderr
    assert (tmp_path / "report/metrics.json").is_file()
