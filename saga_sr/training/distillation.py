"""Students: models that begin as their teacher and learn to do in few steps, or in one branch, what it does in many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from saga_sr.core.config import check_teacher
from saga_sr.core.errors import ConfigError
from saga_sr.core.pretrained import PretrainedNetwork
from saga_sr.core.random_numbers import Generators, normal, uniform
from saga_sr.flow.distillation import StepDistillation, as_taught
from saga_sr.flow.guidance import Guidance, GuidedVelocity, changed
from saga_sr.flow.objective import Estimate
from saga_sr.model import Pair, SuperResolver
from saga_sr.packages.finding import digest, find_model
from saga_sr.packages.package import load_package, model_settings

# The settings of a training that are the teacher's, by the parts of a package that they become.
TAKEN = {
    "conditioner": "conditioning",
    **{part: part for part in ("codec", "backbone", "objective", "sampler", "low_band")},
}
# What a command cannot set: how results are put together, `low_band`, may be another's.
FIXED = {*TAKEN.values(), "guidance", "model", "init_from", "init_as"} - {"low_band"}
# What disturbs conditions in training: a student is shown what its teacher is.
DISTURBANCES = ("dropout", "noise")
# The condition of a student that is told how strongly it is guided.
TOLD = "guidance_scale"
TOLD_WIDTH = 64


class Distillation(nn.Module):
    """Makes the estimates that a student is trained by. The teacher's guidance goes into the student's weights.

    A student with a `GuidanceScaleCondition` learns it at every scale, drawn for each example.

    Args:
        teacher: taken over, and not trained.
        teacher_steps: by its own solver, a multiple of the student's; None where the student takes as many as it is
                asked to, and learns the teacher's velocity on training's paths.

    Raises:
        ConfigError: the teacher knows its own steps alone, and those are not what is asked of it.
    """

    def __init__(self, teacher: SuperResolver, teacher_steps: int | None) -> None:
        super().__init__()
        # DDIM's steps are Euler's, but begin and end a little inside the path, where no student's do.
        solver = "euler" if teacher.sampler.solver == "ddim" else None
        self.sampler = teacher.sampler.changed(solver=solver, steps=teacher_steps) if teacher_steps else None
        if teacher.sampler.distilled and not teacher_steps:
            raise ConfigError("This teacher was distilled itself, into steps of its own: give distillation.steps.")
        self._teacher = PretrainedNetwork(teacher)

    @classmethod
    def of(cls, settings: DictConfig) -> Distillation:
        """That of the `distillation` of a configuration, see `take_teachers_model`.

        Raises:
            PackageError: the teacher cannot be read.
        """
        return cls(load_package(Path(settings.teacher)), settings.teacher_steps if settings.steps else None)

    @property
    def teacher(self) -> SuperResolver:
        """As it was packed."""
        return self._teacher.network

    def forward(self, student: SuperResolver, pair: Pair, generators: Generators = None) -> Estimate:
        """The student beside the teacher, for clips that both are shown as restoring shows them.

        Raises:
            ConfigError: see `StepDistillation`.
        """
        z_lr, cutoff_hz, codec = pair.z_lr, pair.cutoff_hz, student.codec
        start = student.objective.start(z_lr, codec.channels_below(cutoff_hz))
        guidance, pair = self._guided(student, pair, generators)
        conditioning = student.conditioner.join_channels(student.conditioner.describe(pair.values), z_lr)
        field = self.teacher.velocity(z_lr, self.teacher.branch_conditioning(pair.values, guidance))
        if self.sampler is None:
            example = as_taught(student.objective.corrupt(pair.z_hr, generators, start), field)
            prediction = student.backbone(example.z_t, example.t, conditioning)
            return student.objective.estimate(prediction.value.float(), example, z_lr)
        noise = normal(z_lr.shape, generators, z_lr.device)
        if self.sampler.noise == "replicated":
            noise = codec.replicated(z_lr, cutoff_hz, noise)
        steps = StepDistillation(self.sampler, student.sampler)
        return steps.estimate(field, trained_velocity(student, conditioning), noise, z_lr, start)

    def _guided(self, student: SuperResolver, pair: Pair, generators: Generators) -> tuple[Guidance, Pair]:
        """The teacher's guidance, and `pair` with what the student is told of it."""
        told: Any = student.conditioner.conditions.get(TOLD)
        if told is None:
            return self.teacher.guidance, pair
        shares = uniform([len(pair.z_lr), len(told.ranges)], generators, pair.z_lr.device)
        values = replace(pair.values, by_name={**pair.values.by_name, TOLD: shares})
        return changed(self.teacher.guidance, None, **told.scales(shares)), replace(pair, values=values)


def trained_velocity(student: SuperResolver, conditioning: Any) -> GuidedVelocity:
    """The student's velocity with gradients, and in the precision that training has."""

    def moments(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor | None]:
        prediction = student.backbone(z, t, conditioning)
        return student.objective.velocity(prediction.value.float(), z, t), prediction.variance

    return GuidedVelocity(moments)


def take_teachers_model(config: DictConfig) -> None:
    """Give `config`, of a distillation, the model in the teacher's package, with the student's sampler.

    Raises:
        ConfigError: there is no distillation, no teacher or no package of it, or the command sets what is the
            teacher's.
        PackageError: there is no teacher, or its package is damaged.
    """
    check_teacher(config)
    given = set_by_the_command()
    for name in given:
        if name.split(".")[0] in FIXED:
            raise ConfigError(
                f"{name} is the teacher's in a distillation, whose student begins with its weights; leave it out "
                "(distillation.steps says how many steps the student takes)."
            )
    wanted = config.distillation
    folder = find_model(wanted.teacher)
    if folder.is_file():
        raise ConfigError(
            f"teacher={wanted.teacher} is no model package yet; make one with: saga-sr export {folder} FOLDER, and "
            "give that folder."
        )
    settings = model_settings(folder)
    if wanted.steps:
        # One evaluation a step, where the teacher's solver may take two.
        solver = "gaussian" if settings["sampler"]["solver"] == "gaussian" else "euler"
        settings["sampler"] |= {"solver": solver, "steps": wanted.steps, "eta": 0.0, "distilled": True}
    settings["conditioner"] = {name: _undisturbed(part) for name, part in settings["conditioner"].items()}
    if wanted.scales:
        scales = cast(dict[str, list[float]], OmegaConf.to_container(wanted.scales))
        OmegaConf.update(config, "guidance", _told(settings, scales), merge=False, force_add=True)
    for part, group in TAKEN.items():
        if part in settings and group not in given:
            OmegaConf.update(config, group, settings[part], merge=False, force_add=True)
    wanted.teacher, wanted.content = str(folder.resolve()), digest(folder)


def _told(settings: dict[str, Any], scales: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """The guidance of a student that is told the `scales`; the teacher's `settings` get the condition for that.

    Raises:
        ConfigError: the teacher's guidance has no such scale.
    """
    own = {name: value for name, value in settings["guidance"].items() if isinstance(value, float | int)}
    own = {name: float(value) for name, value in own.items() if name != "every"}
    if scales.keys() != own.keys():
        raise ConfigError(
            f"distillation.scales names {', '.join(scales)} but the teacher's guidance has {', '.join(own)}; give a "
            "range for each, like distillation.scales={" + ", ".join(f"{name}: [1,3]" for name in own) + "}."
        )
    conditioner, backbone = settings["conditioner"], settings["backbone"]
    target = "saga_sr.conditioning.guidance_scale.GuidanceScaleCondition"
    conditioner[TOLD] = {"_target_": target, "width": TOLD_WIDTH, "ranges": {n: [*pair] for n, pair in scales.items()}}
    columns = len(scales) * TOLD_WIDTH
    conditioner["global_dim"] = backbone["global_dim"] = (conditioner.get("global_dim") or 0) + columns
    return {"_target_": "saga_sr.flow.guidance.DistilledGuidance", **own}


@torch.no_grad()
def begin_as(student: SuperResolver, teacher: SuperResolver) -> None:
    """Give the `student` its teacher's weights: it does what the teacher does, whatever else it is told."""
    taught, own = teacher.state_dict(), student.state_dict()
    embedding = getattr(student.backbone, "global_embedding", None)
    if embedding is not None and not any(name.startswith("backbone.global_embedding.") for name in taught):
        for parameter in embedding[-1].parameters():
            nn.init.zeros_(parameter)
    for name, tensor in taught.items():
        if own[name].shape != tensor.shape:  # what a condition that is new is read by
            tensor = nn.functional.pad(tensor, (0, own[name].shape[1] - tensor.shape[1]))
        own[name].copy_(tensor)


def set_by_the_command() -> list[str]:
    """The names of the groups and settings that the command line sets."""
    words = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    return [word.partition("=")[0].lstrip("+~").partition("@")[0] for word in words]


def _undisturbed(condition: Any) -> Any:
    if not isinstance(condition, dict):
        return condition
    return condition | {name: 0.0 for name in DISTURBANCES if condition.get(name)}
