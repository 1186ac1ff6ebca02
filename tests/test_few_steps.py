"""What makes few steps enough, through the programs: an informed start, and distillation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import QUICK, TINY
from programs import changed, program
from safetensors.torch import load_file

from saga_sr.core.run_folder import RUNNING, read_curves, read_record
from saga_sr.files.writing import write_audio
from saga_sr.packages.load import load_model
from saga_sr.packages.package import read_config

pytestmark = pytest.mark.slow
RUN = ["train.py", "experiment=demo", *QUICK, "trainer.max_steps=3", "trainer.val_check_interval=3"]


def test_a_model_that_starts_at_the_input_is_trained_packed_and_used_like_any(tmp_path: Path) -> None:
    done = program(*RUN, "objective.prior=low_resolution", "objective.prior_width=0.2", f"hydra.run.dir={tmp_path}/run")
    assert done.returncode == 0, done.stderr
    settings = read_config(tmp_path / "run/model")["model"]
    assert settings["objective"]["prior"] == settings["backbone"]["prior"] == "low_resolution"
    objective = load_model(tmp_path / "run").objective
    assert (objective.prior, objective.prior_width, objective.prior_width_above) == ("low_resolution", 0.2, 1.0)
    write_audio(tmp_path / "in.wav", 0.1 * torch.randn(1, 30_000), 44_100)
    files = f"input={tmp_path / 'in.wav'}", f"output={tmp_path / 'out.wav'}"
    done = program("infer.py", f"model={tmp_path / 'run'}", *files, "cutoff_hz=4000")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.wav").is_file()


# The model is the teacher's: nothing is said of it.
DISTILL = [
    "train.py", "experiment=distill", "distillation.teacher_steps=4", *(word for word in QUICK if word not in TINY),
    "trainer.max_steps=6",
    "trainer.val_check_interval=3", "trainer.precision=32-true", "callbacks.newest.every=3",
]  # fmt: skip


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model has settings of its own: Gaussian steps from signs, guidance, and a start at the input."""
    folder = tmp_path_factory.mktemp("teacher") / "run"
    own = ["conditioning=cutoff", "conditioning.acoustic.dropout=0.3", "guidance=classifier_free", "guidance.scale=1.5"]
    own += ["objective.prior=low_resolution", "sampler=gaussian", "sampler.noise=rademacher", "low_band=hard"]
    done = program(*RUN, *own, f"hydra.run.dir={folder}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def student(teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("student") / "run"
    done = program(*DISTILL, f"teacher={teacher}", f"hydra.run.dir={folder}")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_student_is_its_teacher_but_for_sampling_guidance_and_what_it_learned(teacher: Path, student: Path) -> None:
    taught, own = (read_config(run / "model")["model"] for run in (teacher, student))
    for part in ("codec", "backbone", "objective", "low_band"):
        assert own[part] == taught[part], part
    assert own["sampler"] == {**taught["sampler"], "solver": "gaussian", "steps": 1, "distilled": True, "eta": 0.0}
    assert own["guidance"]["scale"] == 1 and own["conditioner"]["acoustic"]["dropout"] == 0
    assert own["conditioner"]["cutoff"]["scale"] == taught["conditioner"]["cutoff"]["scale"]
    before, after = (load_file(run / "model/model.safetensors") for run in (teacher, student))
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert torch.allclose(tensor, after[name], atol=0.05), name
        assert torch.equal(tensor, after[name]) is name.startswith("codec."), name
    losses = [value for _, value in read_curves(student)["val/loss"]]
    assert len(losses) == 2 and losses[1] < losses[0]
    assert "teacher_steps: 4" in (student / "model/README.md").read_text()


def test_a_student_takes_its_steps_at_every_effort(student: Path, tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav", 0.1 * torch.randn(1, 30_000), 44_100)
    results = {}
    for word in ("enhance=fast", "enhance=best"):
        out = tmp_path / f"{word}.wav"
        done = program(
            "infer.py", word, f"model={student}", f"input={tmp_path / 'in.wav'}", f"output={out}", "cutoff_hz=4000"
        )
        assert done.returncode == 0, done.stderr
        results[word] = out.read_bytes()
    assert len({*results.values()}) == 1
    done = program(
        "infer.py", "steps=4", f"model={student}", f"input={tmp_path / 'in.wav'}", f"output={tmp_path / 'no.wav'}"
    )
    assert done.returncode != 0 and "was distilled into sampler.steps=1 of solver=gaussian" in done.stderr


def test_a_distillation_goes_on_and_is_shared_out_as_any_training(teacher: Path, student: Path, tmp_path: Path) -> None:
    whole = load_file(student / "model/model.safetensors")
    killed = tmp_path / "killed"
    shutil.copytree(student, killed, ignore=shutil.ignore_patterns("*-6.ckpt", "model"))
    record = json.loads((killed / "run.json").read_text())
    (killed / "run.json").write_text(json.dumps(record | {"status": RUNNING}))
    two = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "data.batch_size=1"]
    for folder, words in ((killed, []), (tmp_path / "two", two)):
        done = program(*changed(DISTILL, *words), f"teacher={teacher}", f"hydra.run.dir={folder}", spares=1)
        assert done.returncode == 0, done.stderr
        for name, tensor in load_file(folder / "model/model.safetensors").items():
            assert torch.allclose(whole[name], tensor, atol=1e-5), (folder, name)
    assert read_record(killed)["history"][-1]["from"] == "step-3.ckpt"


def test_what_cannot_be_distilled_is_said_in_one_sentence(teacher: Path, tmp_path: Path) -> None:
    for words, said in (
        ([], "A distillation needs a teacher; add teacher=MODEL"),
        ([f"teacher={teacher}", "backbone.width=64"], "backbone.width is the teacher's in a distillation"),
        ([f"teacher={teacher}", "distillation.steps=3"], "must be a multiple of distillation.steps=3"),
    ):
        done = program(*DISTILL, *words, f"hydra.run.dir={tmp_path}")
        assert done.returncode == 1 and said in done.stderr.splitlines()[-1], done.stderr
        assert not (tmp_path / "model").exists()
