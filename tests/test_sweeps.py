"""Sweeps as a user starts them: every launcher, a job that fails, a repeated command, the comparison."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
import yaml
from conftest import QUICK
from programs import changed, program
from stand_in_slurm import install

from saga_sr.core.run_folder import FAILED, FINISHED, STOPPED, read_record

pytestmark = pytest.mark.slow
RUN = ["experiment=demo", *QUICK, "trainer.max_steps=2", "trainer.val_check_interval=2"]
NAMED = "hydra.sweep.subdir=${hydra:job.num}"


def statuses(folder: Path) -> dict[str, str]:
    found = {run.name: read_record(run) for run in folder.iterdir() if run.is_dir() and not run.name.startswith(".")}
    return {name: record["status"] for name, record in found.items() if record}


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_job_that_fails_does_not_take_the_sweep_with_it(tmp_path: Path, launcher: str) -> None:
    """Width 33 cannot be divided by the heads; the jobs before and after it finish."""
    sweep = [
        "train.py", "-m", *changed(RUN, "backbone.width=32,33,36"), f"hydra.sweep.dir={tmp_path}", NAMED,
        f"hydra/launcher={launcher}",
    ]  # fmt: skip
    if launcher == "joblib":
        sweep.append("hydra.launcher.n_jobs=2")
    # joblib's workers hang when the program that starts them is a fork.
    done = program(*sweep, fresh=launcher == "joblib")
    assert done.returncode == 1
    assert statuses(tmp_path) == {"0": FINISHED, "1": FAILED, "2": FINISHED}, done.stderr
    record = read_record(tmp_path / "1")
    assert record is not None and "backbone.width=33 cannot be divided" in record["reason"]
    assert "error: backbone.width=33 cannot be divided" in done.stderr
    if launcher != "basic":
        return
    before = {name: (tmp_path / name / "run.json").stat().st_mtime for name in ("0", "1", "2")}
    again = program(*sweep, "sweep.resume=true")
    assert again.returncode == 1 and "Attempt 1" in again.stdout and "width=33 cannot be divided" in again.stdout
    record = read_record(tmp_path / "1")
    assert record is not None and record["attempts"] == 2
    later = {name: (tmp_path / name / "run.json").stat().st_mtime for name in ("0", "1", "2")}
    assert [name for name in before if later[name] != before[name]] == ["1"]


def test_a_job_on_slurm_whose_time_is_over_is_requeued_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By submitit, as docs/clusters.md says, on a stand-in for SLURM. The signal comes as the third step begins."""
    slurm = install(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{slurm}{os.pathsep}{os.environ['PATH']}")
    end = ["_target_=signals.SignalledOnce", "rank=0", "step=3", f"done={tmp_path / 'end'}", "number=12"]
    words = changed(RUN, "trainer.max_steps=5", "trainer.val_check_interval=5", "callbacks.newest.every=100")
    launcher = ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=any"]
    done = program(
        *("train.py", "-m", *words, *(f"+callbacks.end.{word}" for word in end), *launcher),
        *(f"hydra.sweep.dir={tmp_path / 'sweep'}", NAMED),
    )
    assert done.returncode == 0, done.stderr + (slurm / "log").read_text()
    assert (slurm / "runs").read_text().split() == ["begun", "begun"]
    record = read_record(tmp_path / "sweep/0")
    assert record is not None and record["status"] == FINISHED
    assert [attempt["status"] for attempt in record["history"]] == [STOPPED, FINISHED]
    # No checkpoint was due: this one was made of the signal.
    assert [attempt["from"] for attempt in record["history"]] == [None, "step-3.ckpt"]
    assert "SIGUSR2" in record["history"][0]["reason"]


def test_an_optuna_search_finds_the_best_of_its_trials(tmp_path: Path) -> None:
    done = program(
        "train.py",
        "-m",
        *RUN,
        "hparams_search=optuna",
        "hydra.sweeper.n_trials=3",
        f"hydra.sweep.dir={tmp_path}",
        NAMED,
    )
    assert done.returncode == 0, done.stderr
    results = yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())
    values = [record["figures"]["val/lsd_hf"] for record in map(read_record, sorted(tmp_path.glob("[0-2]"))) if record]
    assert len(values) == 3 and results["best_value"] == min(values)


def test_from_a_sweep_to_its_comparison_as_the_readme_says(tmp_path: Path) -> None:
    """Folders are named for their overrides, and the same command finds them again."""
    sweep = ["train.py", "-m", *RUN, "objective=velocity,x_prediction", "seed=1,2", f"hydra.sweep.dir={tmp_path}"]
    done = program(*sweep)
    assert done.returncode == 0, done.stderr
    compared = program("-m", "saga_sr", "compare", str(tmp_path), fresh=True)
    assert compared.returncode == 0 and "comparison.html" in compared.stdout, compared.stderr
    with (tmp_path / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["objective"], row["seed"], row["status"]) for row in rows} == {
        (objective, seed, FINISHED) for objective in ("velocity", "x_prediction") for seed in ("1", "2")
    }
    assert all(float(row["final val/lsd_hf"]) > 0 for row in rows)
    assert len({Path(row["run"]).name for row in rows}) == 4
    page = (tmp_path / "comparison.html").read_text()
    assert page.count("<audio") == 2 * (4 + 2) and "objective=velocity" in page
    again = program(*sweep)
    assert again.returncode == 1 and "sweep.resume=true" in again.stderr


def test_wandb_offline_keeps_curves_media_settings_and_the_package(tmp_path: Path) -> None:
    done = program("train.py", *changed(RUN, "logger=wandb"), f"hydra.run.dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    record = read_record(tmp_path)
    assert record is not None and run.name.endswith(record["id"])
    media = {path.suffix for path in (run / "files/media").rglob("*.*")}
    assert media == {".png", ".wav"}
    logged = (run / f"run-{record['id']}.wandb").read_bytes()
    for name in (b"val/lsd_hf", b"train/gradient_norm", b"system/samples_per_s", b"latent_dim", b"model.safetensors"):
        assert name in logged, name


def test_debug_modes(tmp_path: Path) -> None:
    done = program("train.py", *RUN, "debug=profiler", f"hydra.run.dir={tmp_path / 'profiled'}")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "profiled/profile").glob("*.pt.trace.json"))
    done = program(
        "train.py",
        *changed(RUN, "debug=overfit", "trainer.max_steps=60", "trainer.val_check_interval=60"),
        f"hydra.run.dir={tmp_path / 'overfit'}",
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "overfit/csv/metrics.csv").open() as file:
        losses = [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    assert losses[-1] < min(losses[:5]) - 0.2
