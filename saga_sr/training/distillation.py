"""Students: models that begin as their teacher and learn to do in few steps what it does in many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from saga_sr.core.errors import ConfigError
from saga_sr.core.pretrained import PretrainedNetwork
from saga_sr.core.random_numbers import Generators, normal
from saga_sr.flow.distillation import StepDistillation
from saga_sr.flow.guidance import GuidedVelocity
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


class Distillation(nn.Module):
    """Makes the estimates that a student is trained by. The teacher's guidance goes into the student's weights.

    Args:
        teacher: taken over, and not trained.
        teacher_steps: by its own solver, a multiple of the student's.
    """

    def __init__(self, teacher: SuperResolver, teacher_steps: int) -> None:
        super().__init__()
        # DDIM's steps are Euler's, but begin and end a little inside the path, where no student's do.
        solver = "euler" if teacher.sampler.solver == "ddim" else None
        self.sampler = teacher.sampler.changed(solver=solver, steps=teacher_steps)
        self._teacher = PretrainedNetwork(teacher)

    @classmethod
    def of(cls, settings: DictConfig) -> Distillation:
        """That of the `distillation` of a configuration, see `take_teachers_model`.

        Raises:
            PackageError: the teacher cannot be read.
        """
        return cls(load_package(Path(settings.teacher)), settings.teacher_steps)

    @property
    def teacher(self) -> SuperResolver:
        """As it was packed."""
        return self._teacher.network

    def forward(self, student: SuperResolver, pair: Pair, generators: Generators = None) -> Estimate:
        """The student's steps beside the teacher's, for clips that both are shown as restoring shows them.

        Raises:
            ConfigError: see `StepDistillation`.
        """
        z_lr, cutoff_hz, codec = pair.z_lr, pair.cutoff_hz, student.codec
        noise = normal(z_lr.shape, generators, z_lr.device)
        if self.sampler.noise == "replicated":
            noise = codec.replicated(z_lr, cutoff_hz, noise)
        return StepDistillation(self.sampler, student.sampler).estimate(
            self.teacher.velocity(z_lr, self.teacher.branch_conditioning(pair.values)),
            trained_velocity(student, z_lr, pair),
            noise,
            z_lr,
            student.objective.start(z_lr, codec.channels_below(cutoff_hz)),
        )


def trained_velocity(student: SuperResolver, z_lr: Tensor, pair: Pair) -> GuidedVelocity:
    """The student's velocity with gradients, and in the precision that training has."""
    conditioning = student.conditioner.join_channels(student.conditioner.describe(pair.values), z_lr)

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
    if not config.distillation:
        raise ConfigError(f"teacher={config.teacher} is for distillation; add experiment=distill, or leave it out.")
    if config.teacher is None:
        raise ConfigError("A distillation needs a teacher; add teacher=MODEL, a model package or a run.")
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
    # One evaluation a step, where the teacher's solver may take two.
    solver = "gaussian" if settings["sampler"]["solver"] == "gaussian" else "euler"
    settings["sampler"] |= {"solver": solver, "steps": wanted.steps, "eta": 0.0, "distilled": True}
    settings["conditioner"] = {name: _undisturbed(part) for name, part in settings["conditioner"].items()}
    for part, group in TAKEN.items():
        if part in settings and group not in given:
            OmegaConf.update(config, group, settings[part], merge=False, force_add=True)
    wanted.teacher, wanted.content = str(folder.resolve()), digest(folder)


def set_by_the_command() -> list[str]:
    """The names of the groups and settings that the command line sets."""
    words = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    return [word.partition("=")[0].lstrip("+~").partition("@")[0] for word in words]


def _undisturbed(condition: Any) -> Any:
    if not isinstance(condition, dict):
        return condition
    return condition | {name: 0.0 for name in DISTURBANCES if condition.get(name)}
