"""Names with the signs of every grammar on the way, and bytes that are no text, wherever a path is taken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from conftest import QUICK
from programs import ROOT, environment, program
from recordings import sound

from saga_sr.core.run_folder import read_record
from saga_sr.data.shards import SUMMARY

pytestmark = pytest.mark.slow
NASTY = "take 1.2 a=b [x]{y},z 'q' \"p\" ~ $h \\"
NAMES = [NASTY, os.fsdecode(b"not \xff\xfe text")]


def recording(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        soundfile.write(file, sound(3, 16_000, 1, 16_000), 16_000, format="WAV")
    return path


@pytest.mark.parametrize("name", NAMES)
def test_enhance_takes_them_for_model_input_and_output(package: Path, tmp_path: Path, name: str) -> None:
    model = shutil.copytree(package, tmp_path / name / "model")
    source, target = recording(tmp_path / name / f"{name}.wav"), tmp_path / f"out {name}.wav"
    done = program("infer.py", str(source), str(target), f"model={model}")
    assert done.returncode == 0 and target.is_file(), done.stderr
    folder = tmp_path / f"all {name}"
    done = program("infer.py", f"input={source.parent}", f"output={folder}", f"model={model}", "format=wav")
    assert done.returncode == 0 and (folder / f"{name}.wav").read_bytes() == target.read_bytes(), done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_train_and_prepare_and_inspect_take_them(tmp_path: Path, name: str) -> None:
    for i in range(3):
        recording(tmp_path / name / f"{i} {name}.wav")
    quick = [word for word in QUICK if "pool" not in word]
    run = tmp_path / f"run {os.fsencode(name).hex()[:8]}"
    done = program(
        "train.py", str(tmp_path / name), "experiment=demo", "debug=limit", *quick, f"hydra.run.dir={run}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = read_record(run)
    assert record is not None and record["steps"] == 4
    prepared = tmp_path / f"prepared {name}"
    done = program(
        "-m", "saga_sr", "prepare", str(tmp_path / name), str(prepared), "num_workers=1", "num_samples=8192",
        "codec.latent_dim=64",
    )  # fmt: skip
    assert done.returncode == 0 and (prepared / SUMMARY).is_file(), done.stderr
    shutil.move(run / "model", tmp_path / f"model {name}")
    done = program("-m", "saga_sr", "inspect", str(tmp_path / f"model {name}"))
    assert done.returncode == 0 and "a model package" in done.stdout, done.stderr


def test_pipes(package: Path, tmp_path: Path) -> None:
    source = recording(tmp_path / "a.wav")
    command = [sys.executable, "-m", "saga_sr", "enhance", "-", f"model={package}", "seed=3"]
    with source.open("rb") as stdin:
        done = subprocess.run(command, stdin=stdin, capture_output=True, env=environment(), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    again = program("infer.py", str(source), str(tmp_path / "b.wav"), f"model={package}", "seed=3")
    assert again.returncode == 0 and done.stdout == (tmp_path / "b.wav").read_bytes() != b""
    said = f"{sys.executable} -m saga_sr enhance <(cat {source}) {tmp_path}/c.wav model={package} seed=3"
    done = subprocess.run(["bash", "-c", said], capture_output=True, env=environment(), cwd=ROOT)
    assert done.returncode == 0 and (tmp_path / "c.wav").read_bytes() == (tmp_path / "b.wav").read_bytes(), done.stderr
    nothing = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment(), cwd=ROOT)
    assert nothing.returncode != 0 and b"Nothing came through the pipe (-)" in nothing.stderr


def test_several_files_and_patterns_go_to_a_folder(package: Path, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        recording(tmp_path / f"{name}.wav")
    done = program("infer.py", f"{tmp_path}/[ab].wav", str(tmp_path / "c.wav"), f"{tmp_path}/out/", f"model={package}")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").glob("[!.]*")) == ["a.flac", "b.flac", "c.flac"]
