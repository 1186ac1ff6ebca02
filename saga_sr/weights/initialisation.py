"""Start training from weights made elsewhere: every tensor that fits is used, and a report says what became of each."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from saga_sr.backbones.saga import Saga
from saga_sr.core.errors import ConfigError, WeightsError
from saga_sr.model import SuperResolver
from saga_sr.weights.stable_audio import StableAudioWeights, read_weights

logger = logging.getLogger(__name__)

REPORT = "init_report.txt"


@dataclass
class Report:
    """What became of each tensor, by name."""

    loaded: list[str] = field(default_factory=list)
    widened: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The report, a line for each tensor."""
        lines = [f"{kind}: {name}" for kind, names in vars(self).items() for name in names]
        return "\n".join([self.summary(), "", *lines]) + "\n"

    def summary(self) -> str:
        """How many tensors of each kind."""
        return ", ".join(f"{len(names)} {kind}" for kind, names in vars(self).items())


def initialise(model: SuperResolver, path: Path, folder: Path) -> Report:
    """Give `model` the weights at `path`, and write what became of each tensor to `folder/init_report.txt`.

    Inputs that the other model did not have start with weights of zero, so that they change nothing yet.

    Raises:
        WeightsError: weights that cannot be read or do not fit.
        ConfigError: a model that they cannot be for.
    """
    if not isinstance(model.backbone, Saga):
        raise ConfigError("init_from reads Stable Audio's weights, which need backbone=saga_small or saga_full.")
    if model.backbone.convention != "velocity" and model.objective.prediction != "velocity":
        raise ConfigError("Converted weights predict a velocity; add objective=velocity, or init_as=raw.")
    weights = read_weights(path)
    _check_depth(weights, model.backbone, path)
    report = Report(ignored=list(weights.ignored))
    # Inputs that grow by what the other model was not told: z_lr, and roll-off or duration beside the time.
    latent_dim, width = model.backbone.latent_dim, model.backbone.cross_attention_dim or 0
    widths = {"conv_in.weight": latent_dim, "to_tokens.weight": latent_dim, "global_embedding.0.weight": 2 * width}
    _fill(model.backbone, weights.backbone, report, widths, _first_column(model, weights))
    _fill(model.conditioner, weights.conditioner, report, {}, 0)
    model.codec.latent_mean.zero_()
    model.codec.latent_scale.fill_(weights.latent_scale)
    (folder / REPORT).write_text(report.text())
    logger.info("From %s: %s (%s)", path, report.summary(), folder / REPORT)
    return report


def _check_depth(weights: StableAudioWeights, backbone: Saga, path: Path) -> None:
    depth = 1 + max(int(name.split(".")[1]) for name in weights.backbone if name.startswith("blocks."))
    if depth != len(backbone.blocks):
        raise WeightsError(
            f"{path} has {depth} blocks and the model {len(backbone.blocks)}; set backbone.depth={depth}, or choose "
            "the backbone that it was trained as."
        )


def _first_column(model: SuperResolver, weights: StableAudioWeights) -> int:
    """Where beside the time the numbers begin that the weights know: durations come first, then roll-offs."""
    knows_rolloff = any(name.startswith("rolloff.") for name in weights.conditioner)
    duration = model.conditioner.duration
    return 2 * duration.width if knows_rolloff and duration is not None else 0


@torch.no_grad()
def _fill(
    module: nn.Module, tensors: dict[str, Tensor], report: Report, widths: dict[str, int], first_column: int
) -> None:
    own = module.state_dict()
    for name, tensor in tensors.items():
        if name not in own:
            report.ignored.append(name)
        elif tensor.shape == own[name].shape:
            own[name].copy_(tensor)
            report.loaded.append(name)
        elif name in widths and _widens(tensor, own[name], widths[name]):
            first = first_column if name == "global_embedding.0.weight" else 0
            own[name].zero_()[: len(tensor), first : first + widths[name]].copy_(tensor)
            report.widened.append(name)
        else:
            raise WeightsError(
                f"{name} is {list(tensor.shape)} in the weights and {list(own[name].shape)} in the model; choose the "
                "backbone, codec and conditioning that they were trained with."
            )
    report.new += [name for name in own if name not in tensors]


def _widens(tensor: Tensor, own: Tensor, inputs: int) -> bool:
    """Whether `own` is `tensor` of so many `inputs` with more of them."""
    square = len(tensor) == tensor.shape[1]
    return tensor.shape[1] == inputs < own.shape[1] and (square or len(tensor) == len(own))
