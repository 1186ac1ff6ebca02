"""`saga-sr inspect`, as a user starts it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import QUICK
from programs import ROOT, environment, program
from stable_audio import write_diffusers

from saga_sr.cli.inspect import split


def inspect(*arguments: str) -> subprocess.CompletedProcess[str]:
    return program("-m", "saga_sr", "inspect", *arguments)


def refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """One sentence on stderr, an exit status, and no traceback."""
    assert done.returncode in (1, 2) and not done.stdout
    assert len(done.stderr.strip().splitlines()) == 1 and done.stderr.startswith("error: "), done.stderr
    assert all(part in done.stderr for part in parts), done.stderr


def test_values_with_commas_are_columns() -> None:
    assert split([]) == {"": []}
    assert split(["codec=mdct"]) == {"": ["codec=mdct"]}
    assert split(["backbone=a,b", "codec=mdct"]) == {
        "a": ["backbone=a", "codec=mdct"],
        "b": ["backbone=b", "codec=mdct"],
    }
    several = split(["backbone=a,b", "data.batch_size=8,16"])
    assert list(several) == ["a, batch_size=8", "a, batch_size=16", "b, batch_size=8", "b, batch_size=16"]
    assert several["b, batch_size=8"] == ["backbone=b", "data.batch_size=8"]
    # No columns: lists and quoted commas.
    for argument in ("optimizer.betas=[0.9,0.95]", "file='/a,b'", "~text"):
        assert split([argument]) == {"": [argument]}


@pytest.mark.slow
def test_the_seeds_two_models_side_by_side() -> None:
    done = inspect("experiment=jat_v2,jat_v3")
    assert done.returncode == 0, done.stderr
    cells = (re.split(" {2,}", line.strip()) for line in done.stdout.splitlines()[1:])
    rows = {label: [figure.split()[0] for figure in figures] for label, *figures in cells}
    assert done.stdout.splitlines()[0].split() == ["jat_v2", "jat_v3"]
    assert rows["trained parameters"] == ["284", "762"]
    assert rows["tokens per second"] == ["86.1", "86.1"] and rows["latent channels"] == ["1024", "1024"]
    assert rows["evaluations"] == ["50", "50"] and rows["branches of the guidance"] == ["2", "2"]
    # Two operations a parameter that all 86.1 frames pass through, and a little attention.
    forward = [float(figure) for figure in rows["one forward"]]
    assert forward[0] == pytest.approx(2 * 86.13 * 0.179, rel=0.06)
    assert forward[1] == pytest.approx(2 * 86.13 * 0.481, rel=0.06)
    assert "Left out: the codec's network" in done.stdout and not done.stderr


@pytest.mark.slow
def test_a_run_is_opened_by_its_checkpoint_and_its_package(tmp_path: Path) -> None:
    done = program("train.py", "experiment=demo", "debug=limit", f"hydra.run.dir={tmp_path}", *QUICK)
    assert done.returncode == 0, done.stderr
    for name, said in (
        ("checkpoints/step-4.ckpt", "a checkpoint"),
        ("model", "a model package"),
        ("", "a model package"),
    ):
        done = inspect(f"file={tmp_path / name}")
        assert done.returncode == 0 and said in done.stdout.splitlines()[0], done.stderr
        assert re.search(r"backbone\.to_tokens\.weight +32 x 128 +float32 +16\.00 KiB +backbone\.to_tok", done.stdout)
    assert not list(Path(ROOT).glob("multirun*"))


@pytest.mark.slow
def test_a_name_with_commas_is_a_file_and_a_reader_may_stop(tmp_path: Path) -> None:
    folder = write_diffusers(tmp_path / "a, b = [c")
    done = inspect(f"file={folder}")
    assert done.returncode == 0 and "diffusers' layout" in done.stdout, done.stderr
    command = [sys.executable, "-m", "saga_sr", "inspect", f"file={folder}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env=environment(), text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.wait(120) == 0 and not process.stderr.read()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["backbone=unet"], ["no backbone=unet", "jat_tiny, jat_v2, jat_v3"]),
        (["backbone=jat_tiny,unet"], ["no backbone=unet", "jat_tiny, jat_v2, jat_v3"]),
        (["backbone.wdith=3"], ["no setting backbone.wdith", "the nearest is backbone.width"]),
        (["trainer.precision=bf17"], ["bf16-mixed"]),
        (["codec=dac", "codec.path=/none"], ["There is no codec at /none"]),
        ([f"file={ROOT / 'README.md'}"], ["README.md cannot be read"]),
    ],
)
def test_bad_input_is_answered_in_one_sentence(arguments: list[str], parts: list[str]) -> None:
    refused(inspect(*arguments), *parts)


@pytest.mark.slow
def test_help_lists_the_groups() -> None:
    done = inspect("backbone=jat_v2,jat_v3", "--help")
    assert done.returncode == 0 and re.search(r"codec: .*dac, mdct, mel, oobleck", done.stdout)
