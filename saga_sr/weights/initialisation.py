"""Start training from weights made elsewhere: every tensor that fits is used, and a report says what became of each.

The model is a module of modules here, known by its attributes: backbones and conditions are rooms above this one.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from saga_sr.core.errors import ConfigError, WeightsError
from saga_sr.weights.audiosr import is_audiosr, read_audiosr
from saga_sr.weights.stable_audio import StableAudioWeights, read_convention, read_weights
from saga_sr.weights.tensor_files import load_tensors

logger = logging.getLogger(__name__)

REPORT = "init_report.txt"
NO_BACKBONE = (
    "init_from={path} is no model package or run to begin from; give one (saga-sr-mini comes along), or other weights: "
    "Stable Audio's, which need backbone=saga_small or saga_full, or AudioSR's, which need backbone=audiosr_unet."
)


@dataclass
class Report:
    """What became of each tensor, by name; `remarks` are sentences on what the model lacks."""

    loaded: list[str] = field(default_factory=list)
    widened: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The report, a line for each tensor."""
        lines = [f"{kind}: {name}" for kind, names in self._kinds().items() for name in names]
        return "\n".join([self.summary(), *self.remarks, "", *lines]) + "\n"

    def summary(self) -> str:
        """How many tensors of each kind."""
        return ", ".join(f"{len(names)} {kind}" for kind, names in self._kinds().items())

    def _kinds(self) -> dict[str, list[str]]:
        return {kind: names for kind, names in vars(self).items() if kind != "remarks"}


def initialise(model: nn.Module, path: Path, folder: Path) -> Report:
    """Give `model` the weights at `path`, and write what became of each tensor to `folder/init_report.txt`.

    Inputs that the other model did not have start with weights of zero, so that they change nothing yet.

    Raises:
        WeightsError: weights that cannot be read or do not fit.
        ConfigError: a model that they cannot be for.
    """
    codec: Any = model.codec
    report, latent_scale = (_fill_audiosr if _is_audiosr(path) else _fill_stable_audio)(model, path)
    codec.latent_mean.zero_()
    codec.latent_scale.fill_(latent_scale)
    for remark in report.remarks:
        logger.warning("%s", remark)
    (folder / REPORT).write_text(report.text())
    logger.info("From %s: %s (%s)", path, report.summary(), folder / REPORT)
    return report


def settings_of_weights(path: Path, has_convention: bool) -> dict[str, Any]:
    """The settings of a training that the weights at `path` decide, by their names.

    Args:
        has_convention: whether the backbone can take over another's convention.

    Raises:
        WeightsError: weights that cannot be read, or do not say it.
        ConfigError: a backbone that they cannot be for.
    """
    if _is_audiosr(path):
        return {"conditioning.acoustic.null_value": read_audiosr(path).null_value}
    if not has_convention:
        raise ConfigError(NO_BACKBONE.format(path=path))
    return {"backbone.convention": read_convention(path)}


def _is_audiosr(path: Path) -> bool:
    return path.is_file() and is_audiosr(load_tensors(path))


def _fill_audiosr(model: Any, path: Path) -> tuple[Report, float]:
    """Give `model` AudioSR's weights; the report, and what they know latents divided by."""
    if not hasattr(model.backbone, "shrinks"):
        raise ConfigError(f"{path} holds AudioSR's weights, which need backbone=audiosr_unet and codec=audiosr.")
    weights = read_audiosr(path)
    weights.unet.fill(model.backbone, path)
    report = Report(loaded=[*weights.unet.names], remarks=list(weights.remarks))
    report.ignored = [f"{name} ({part})" for name, part in weights.becomes.items() if name.partition(".")[0] != "model"]
    report.ignored += [f"{name} ({why})" for name, why in weights.unused.items()]
    return report, weights.latent_scale


def _fill_stable_audio(model: Any, path: Path) -> tuple[Report, float]:
    """Give `model` Stable Audio's or SAGA-SR's weights; the report, and what they know latents divided by."""
    backbone, conditioner, objective = model.backbone, model.conditioner, model.objective
    if not hasattr(backbone, "convention"):
        raise ConfigError(NO_BACKBONE.format(path=path))
    if backbone.convention != "velocity" and objective.prediction != "velocity":
        raise ConfigError("Converted weights predict a velocity; add objective=velocity, or init_as=raw.")
    if backbone.convention != "velocity" and objective.prior != "noise":
        raise ConfigError("Converted weights start from pure noise; add objective.prior=noise, or init_as=raw.")
    weights = read_weights(path)
    _check_depth(weights, len(backbone.blocks), path)
    report = Report(ignored=list(weights.ignored))
    known = {name.partition(".")[0] for name in weights.conditioner}
    spans = [span for name, span in conditioner.column_spans().items() if name in known]
    beside = (spans[0][0], spans[-1][1]) if spans else (0, 0)
    # Inputs that grow by what the other model was not conditioned on: z_lr, and other conditions beside the time.
    grown = {
        "conv_in.weight": (0, backbone.latent_dim),
        "to_tokens.weight": (0, backbone.latent_dim),
        "global_embedding.0.weight": beside,
    }
    _fill(backbone, weights.backbone, report, grown)
    _fill(conditioner, weights.conditioner, report, {})
    report.remarks += _unattended(conditioner, weights.attended)
    return report, weights.latent_scale


def _check_depth(weights: StableAudioWeights, own: int, path: Path) -> None:
    depth = 1 + max(int(name.split(".")[1]) for name in weights.backbone if name.startswith("blocks."))
    if depth != own:
        raise WeightsError(
            f"{path} has {depth} blocks and the model {own}; set backbone.depth={depth}, or choose the backbone that "
            "it was trained as."
        )


def _unattended(conditioner: Any, attended: frozenset[str]) -> list[str]:
    """A sentence for each condition that the other model has `attended` to, and this one has beside the time alone."""
    return [
        f"The weights were trained to attend to {name}, and this model has it beside the time alone, so it begins "
        f"without those tokens; conditioning.{name}.attended=true keeps them."
        for name, condition in conditioner.conditions.items()
        if name in attended and condition.dims.tokens is None
    ]


@torch.no_grad()
def _fill(module: nn.Module, tensors: dict[str, Tensor], report: Report, grown: dict[str, tuple[int, int]]) -> None:
    """Copy `tensors`; those in `grown` may become some columns, from the first to the end, of wider ones."""
    own = module.state_dict()
    for name, tensor in tensors.items():
        if name not in own:
            report.ignored.append(name)
        elif tensor.shape == own[name].shape:
            own[name].copy_(tensor)
            report.loaded.append(name)
        elif name in grown and _widens(tensor, own[name], grown[name]):
            own[name].zero_()[: len(tensor), slice(*grown[name])].copy_(tensor)
            report.widened.append(name)
        else:
            raise WeightsError(
                f"{name} is {list(tensor.shape)} in the weights and {list(own[name].shape)} in the model; choose the "
                "backbone, codec and conditioning that they were trained with."
            )
    report.new += [name for name in own if name not in tensors]


def _widens(tensor: Tensor, own: Tensor, columns: tuple[int, int]) -> bool:
    """Whether `own` is `tensor`, of so many `columns`, with more of them."""
    square = len(tensor) == tensor.shape[1]
    return tensor.shape[1] == columns[1] - columns[0] < own.shape[1] and (square or len(tensor) == len(own))
