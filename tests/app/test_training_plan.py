"""What a page lets its users train, and what it refuses before any process is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import QUICK

from saga_sr.app.folders import allowed
from saga_sr.app.training_cost import training_cost
from saga_sr.app.training_plan import Plan, changeable, options, plan, recipes
from saga_sr.core.errors import SagaError


def planned(tmp_path: Path, *changes: str, recipe: str = "demo", source: str = "") -> Plan:
    return plan(recipe, source, changes, tmp_path / "runs/mine", lambda path: allowed(path, [tmp_path], "read"))


def test_recipes_say_what_they_are() -> None:
    assert recipes()[0].name == "demo" and "six minutes on two CPU cores" in recipes()[0].about
    assert all(recipe.about for recipe in recipes())


def test_a_folder_of_recordings_and_changes_become_a_command_line(tmp_path: Path) -> None:
    (tmp_path / "my songs").mkdir()
    found = planned(tmp_path, "optimizer.lr=1e-4", "backbone=jat_v2", source=str(tmp_path / "my songs"))
    assert found.words == [
        str(tmp_path / "my songs"),
        "experiment=demo",
        "optimizer.lr=1e-4",
        "backbone=jat_v2",
        f"hydra.run.dir={tmp_path / 'runs/mine'}",
    ]
    assert found.config.data.path == str(tmp_path / "my songs")
    assert found.config.optimizer.lr == 1e-4 and found.config.backbone.width > 500
    assert found.config.callbacks.newest.folder == str(tmp_path / "runs/mine/checkpoints")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("optimizer.lt=1", "There is no setting optimizer.lt; the nearest is optimizer.lr."),
        ("optimizer.lr=fast", "optimizer.lr='fast' is not a number"),
        ("backbone=jat_v4", "There is no backbone=jat_v4; the nearest is jat_"),
        ("conditioning=text", "text_encoder is required"),
        ("seed=1,2", "seed=1,2 gives several values"),
    ],
)
def test_what_hydra_knows_is_said_in_its_sentence(tmp_path: Path, change: str, said: str) -> None:
    with pytest.raises(SagaError) as error:
        planned(tmp_path, change)
    assert said in str(error.value)


def test_a_distillation_without_a_teacher_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(SagaError, match="needs a teacher; add teacher=MODEL"):
        planned(tmp_path, recipe="distill")
    with pytest.raises(SagaError, match="teacher=saga-sr-mini is for distillation"):
        planned(tmp_path, "teacher=saga-sr-mini")
    assert planned(tmp_path, "teacher=saga-sr-mini", recipe="distill").config.teacher == "saga-sr-mini"


@pytest.mark.parametrize(
    "change",
    [
        "codec._target_=os.system",
        "degradation.kinds={_target_: os.system, command: id}",
        "degradation.kinds=[{_target_: os.system}]",
        "+callbacks.mine._target_=os.system",
        "callbacks={_target_: os.system}",
        "experiment=[../../../tmp/mine]",
        "conditioning=[../../../tmp/mine]",
        "hydra.run.dir=/tmp/elsewhere",
        "hydra/launcher=joblib",
        "paths.output_dir=/tmp/elsewhere",
        "callbacks.newest.folder=/tmp/elsewhere",
        "callbacks.best.filename=../../mine",
        "resume=/etc/passwd",
        "data.path=/etc",
        "init_from=/etc/passwd",
        "text_encoder=somebody/model",
        "codec.path=../../etc",
        "data.captions='/etc/passwd'",
        "seed=${oc.env:HOME}",
        "logger=wandb",
        "--config-dir=/tmp",
        "/etc",
        "seed",
    ],
)
def test_what_would_run_code_or_reach_other_files_is_refused(tmp_path: Path, change: str) -> None:
    with pytest.raises(SagaError):
        planned(tmp_path, *(["data=folder"] if change.startswith("data.") else []), change)


def test_settings_complete_with_what_they_are(tmp_path: Path) -> None:
    there = changeable("demo")
    assert there["optimizer.lr"] == "0.002" and there["trainer.max_steps"] == "2200" and there["loss"] == "gaussian_nll"
    assert not {"hydra.run.dir", "paths.output_dir", "codec._target_", "callbacks.newest.folder"} & {*there}
    assert "mdct" in options("demo", "codec") and options("demo", "seed") == []
    # Each completion is a change that may be made.
    usable = [f"{name}={there[name]}" for name in ("optimizer.betas", "data.batch_size", "low_band", "backbone")]
    planned(tmp_path, *usable)


def test_costs_are_those_of_inspect(tmp_path: Path) -> None:
    small = training_cost(planned(tmp_path, *QUICK, "trainer.max_steps=10").overrides)
    more = training_cost(planned(tmp_path, *QUICK, "trainer.max_steps=20").overrides)
    assert small.parameters == more.parameters > 1000 and small.memory > 4 * small.parameters
    assert small.audio_s == pytest.approx(10 * 2 * 8192 / 44_100)
    assert more.least_s == pytest.approx(2 * small.least_s) and small.least_s > 0
