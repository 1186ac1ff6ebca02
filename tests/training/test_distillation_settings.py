"""What a distillation takes of a teacher's package, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import yaml
from conftest import awake, model_config
from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from programs import ROOT
from torch import Tensor

from saga_sr.core.errors import ConfigError, PackageError, SagaError
from saga_sr.core.random_numbers import seeded
from saga_sr.flow.sampler import Sampler
from saga_sr.model import SuperResolver
from saga_sr.packages.package import build, load_package, save_package
from saga_sr.training import distillation
from saga_sr.training.distillation import Distillation, begin_as, take_teachers_model

OWN = ["conditioning.acoustic.dropout=0.3", "conditioning.acoustic.noise=0.1", "low_band=hard", "sampler=heun"]


def composed(teacher: Path | str | None, *overrides: str, experiment: str = "distill") -> DictConfig:
    given = [f"teacher={teacher}"] if teacher else []
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", [f"experiment={experiment}", *given, *overrides])


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = model_config(*OWN, "guidance=classifier_free", "guidance.scale=2", "objective.prior=low_resolution")
    return save_package(awake(build(config)), config, tmp_path_factory.mktemp("teacher") / "model", "# A card\n")


def test_all_that_a_model_is_made_of_is_the_teachers(teacher: Path) -> None:
    config = composed(teacher, "distillation.steps=2")
    take_teachers_model(config)
    own, taught = instantiate(config.model), load_package(teacher)
    own.load_state_dict(taught.state_dict())
    assert vars(own.sampler) == vars(Sampler("euler", 2, noise="gaussian", distilled=True))
    assert own.low_band == "hard" and own.objective.prior == "low_resolution" and own.guidance.scale == 1
    acoustic = own.conditioner.conditions["acoustic"]
    assert (acoustic.dropout, acoustic.noise) == (0, 0) and not own.conditioner.droppable
    assert config.sample_rate == own.sample_rate and config.distillation.teacher == str(teacher)


@pytest.mark.parametrize("noise", ["gaussian", "rademacher", "replicated"])
def test_a_student_that_has_not_learned_yet_is_off_and_one_with_the_teachers_steps_is_not(
    teacher: Path, noise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is compared is what restoring makes: with as many steps of the same solver, the same weights agree."""
    monkeypatch.setattr("saga_sr.model.has_fast_bfloat16", lambda kind: False)
    taught, student = load_package(teacher), load_package(teacher)
    taught.guidance = student.guidance = instantiate(composed(teacher).guidance)
    taught.sampler = Sampler("euler", 4, noise=noise)
    audio = 0.1 * torch.randn(2, 1, 9000, generator=torch.Generator().manual_seed(0))
    pair = student.pair(audio, audio, ["", ""], torch.tensor([4000.0, 6000.0]))
    errors = {}
    for steps in (1, 4):
        student.sampler = Sampler("euler", steps, noise=noise)
        estimate = Distillation(taught, 4)(student, pair, seeded([1, 2]))
        assert len(estimate.velocity) == 2 * steps
        errors[steps] = (estimate.velocity - estimate.target_velocity).square().mean().item()
    assert errors[4] < 1e-9 < 1e-5 < errors[1]


def test_the_teachers_guidance_is_what_is_learned(teacher: Path) -> None:
    taught, student = load_package(teacher), load_package(teacher)
    assert taught.guidance.scale == 2
    audio = 0.1 * torch.randn(1, 1, 9000, generator=torch.Generator().manual_seed(0))
    pair = student.pair(audio, audio, [""], torch.tensor([4000.0]))
    student.sampler = Sampler("euler", 1)
    targets = []
    for scale in (2, 1):
        taught.guidance.scale = scale
        targets.append(Distillation(taught, 4)(student, pair, seeded([1])).target_velocity)
    assert not torch.allclose(*targets, atol=1e-2)


def told_student(teacher: Path, scales: str = "{scale:[1,3]}") -> tuple[SuperResolver, Distillation, dict[str, Any]]:
    """A student that is told the scale of its teacher's guidance, and begins as its teacher; with its settings."""
    config = composed(teacher, "distillation.steps=0", f"distillation.scales={scales}")
    take_teachers_model(config)
    student, made = instantiate(config.model), Distillation.of(config.distillation)
    begin_as(student, made.teacher)
    return student, made, cast(dict[str, Any], OmegaConf.to_container(config.model, resolve=True))


CLIPS = 0.1 * torch.randn(4, 1, 9000, generator=torch.Generator().manual_seed(0))
EDGES_HZ = torch.tensor([3000.0, 4000.0, 5000.0, 6000.0])


def velocity_of(model: SuperResolver, **scales: float) -> Tensor:
    """The guided velocity of clips at fixed points, by what a user says of the guidance."""
    pair = model.pair(CLIPS, CLIPS, [""] * 4, EDGES_HZ)
    asked = model.prepare_conditioning(CLIPS, EDGES_HZ, [""] * 4, guidance=model.changed_guidance(**scales))
    model.mixed_precision = False
    with torch.no_grad():
        z = torch.randn(pair.z_lr.shape, generator=torch.Generator().manual_seed(2))
        return model.velocity(pair.z_lr, asked)(z, torch.tensor([0.1, 0.4, 0.6, 0.8]))


def test_a_student_that_is_told_the_scale_begins_as_its_unguided_teacher(teacher: Path, tmp_path: Path) -> None:
    begun, made, settings = told_student(teacher)
    student = load_package(save_package(begun, settings, tmp_path / "model", "# A card\n"))
    assert not student.sampler.distilled and vars(student.sampler) == vars(made.teacher.sampler)
    assert student.guidance.wishes == {"guidance_scale": {"scale": 2.0}}
    plain = velocity_of(made.teacher, scale=1.0)
    for scale in (1.0, 2.5):
        assert torch.allclose(velocity_of(student, scale=scale), plain, atol=1e-5)
    for scale in (0.9, 3.1):
        with pytest.raises(ConfigError, match=rf"guidance\.scale={scale} is beyond what was distilled .* give 1 to 3"):
            velocity_of(student, scale=scale)


def test_a_student_learns_what_its_teachers_guidance_makes_at_every_scale(teacher: Path) -> None:
    student, made, _ = told_student(teacher)
    pair = student.pair(CLIPS, CLIPS, [""] * 4, EDGES_HZ)
    optimiser = torch.optim.Adam(student.parameters(), 1e-2)

    def error(first_seed: int) -> Tensor:
        estimate = made(student, pair, seeded([first_seed + i for i in range(4)]))
        return (estimate.velocity - estimate.target_velocity).square().mean()

    def unseen() -> float:
        with torch.no_grad():
            return sum(float(error(10**6 + 4 * i)) for i in range(3))

    before = unseen()
    for step in range(60):
        optimiser.param_groups[0]["lr"] = 1e-2 * (1 - step / 60)
        optimiser.zero_grad()
        error(4 * step).backward()
        optimiser.step()
    assert unseen() < 0.5 * before
    assert not torch.allclose(velocity_of(student, scale=1.0), velocity_of(student, scale=3.0), atol=1e-2)


def test_scales_are_those_of_the_teachers_guidance(teacher: Path) -> None:
    with pytest.raises(ConfigError, match=r"names acoustic but the teacher's guidance has scale; .*{scale: \[1,3\]}"):
        told_student(teacher, "{acoustic:[1,2]}")
    with pytest.raises(InstantiationException, match=r"distillation\.scales\.scale=\[3\.0, 1\.0\] is no range"):
        told_student(teacher, "{scale:[3,1]}")


def test_a_teacher_is_neither_saved_nor_trained(teacher: Path) -> None:
    made = Distillation(load_package(teacher), 4)
    assert not [*made.parameters()] and not made.state_dict()
    assert not any(parameter.requires_grad for parameter in made.teacher.parameters())


@pytest.mark.parametrize(
    "name", ["codec", "codec.latent_dim", "backbone", "sampler.steps", "objective.prior", "guidance"]
)
def test_what_is_the_teachers_cannot_be_set(teacher: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distillation, "set_by_the_command", lambda: ["optimizer.lr", name])
    with pytest.raises(ConfigError, match="is the teacher's in a distillation, whose student begins with its weights"):
        take_teachers_model(composed(teacher))


def test_how_results_are_put_together_can_be_set(teacher: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distillation, "set_by_the_command", lambda: ["low_band", "data.num_samples"])
    config = composed(teacher, "low_band=off")
    take_teachers_model(config)
    assert config.low_band == "off"


def test_what_cannot_teach_is_said(teacher: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "step-1.ckpt"
    checkpoint.touch()
    for config, said in (
        (composed(None), "needs a teacher; add teacher=MODEL"),
        (composed("/nowhere"), "There is no model at /nowhere"),
        (composed(checkpoint), "no model package yet; make one with: saga-sr export"),
        (composed(teacher, experiment="demo"), "add experiment=distill"),
    ):
        with pytest.raises(SagaError, match=said):
            take_teachers_model(config)
    student = load_package(teacher)
    student.sampler = Sampler("euler", 1, distilled=True)
    with pytest.raises(ConfigError, match=r"distilled into sampler\.steps=1"):
        Distillation(student, 16)


def test_another_teacher_in_the_same_place_is_seen(teacher: Path, tmp_path: Path) -> None:
    package = tmp_path / "model"
    shutil.copytree(teacher, package)
    found = []
    for byte in (b"a", b"b"):
        with (package / "model.safetensors").open("ab") as file:
            file.write(byte)
        config = composed(package)
        take_teachers_model(config)
        found.append(config.distillation.content)
    assert found[0] and found[0] != found[1]


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("sampler", {"_target_": "os.system", "command": "true"}),
        ("sampler", {"_target_": "saga_sr.core.errors.SagaError", "solver": "euler"}),
        ("low_band", "${oc.env:HOME}"),
        ("guidance", {"_target_": "saga_sr.flow.guidance.ClassifierFree", "_args_": [1.0]}),
        ("guidance", [{"scale": {"_partial_": True}}]),
    ],
)
def test_a_strangers_teacher_runs_no_code(teacher: Path, tmp_path: Path, part: str, value: Any) -> None:
    package = tmp_path / "model"
    shutil.copytree(teacher, package)
    config = yaml.safe_load((package / "config.yaml").read_text())
    config["model"][part] = value
    (package / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(PackageError, match="unless you trust"):
        take_teachers_model(composed(package))


def test_classes_that_have_moved_are_found(teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        __import__("saga_sr.packages.package", fromlist=["MOVED"]).MOVED,
        "saga_sr.flow.old.Sampler",
        "saga_sr.flow.sampler.Sampler",
    )
    package = tmp_path / "model"
    shutil.copytree(teacher, package)
    text = (package / "config.yaml").read_text().replace("saga_sr.flow.sampler.Sampler", "saga_sr.flow.old.Sampler")
    (package / "config.yaml").write_text(text)
    config = composed(package)
    take_teachers_model(config)
    assert isinstance(instantiate(config.model), SuperResolver)
