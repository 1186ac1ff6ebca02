"""What a configured model costs: parameters, operations for a second of audio, memory in training and in sampling."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from saga_sr.backbones.backbone import Backbone
from saga_sr.core.config import is_chosen
from saga_sr.core.errors import ConfigError
from saga_sr.flow.guidance import GuidedVelocity, JoinedBranches
from saga_sr.inspection.measure import autocast, count_peak_bytes, count_saved_bytes, counting_flops
from saga_sr.inspection.outline import Outline, outline
from saga_sr.inspection.parts import frozen, parameters_by_part, trained

# What Lightning calls them; the weights stay in float32 in all of them. `auto` is what a GPU of today gets.
PRECISIONS = {
    "auto": torch.bfloat16,
    "bf16-mixed": torch.bfloat16,
    "bf16": torch.bfloat16,
    "16-mixed": torch.float16,
    "16": torch.float16,
    "32-true": None,
    "32": None,
}
FLOAT32 = 4


@dataclass(frozen=True)
class Cost:
    """What a model costs. Operations count a multiplication and the addition of its product as two.

    Attributes:
        codec: what it is called, and `sample_rate` (Hz), `channels` and `latent_dim` of it.
        tokens: latent frames for a second of audio.
        parameters: trained ones by part.
        frozen: parameters of networks that are used as they are.
        forward, training, sampling: operations for a second of audio: of the backbone once, of a training step's
            forward and backward, and of all steps of sampling with all branches.
        evaluations, branches: what sampling makes of its steps and its guidance.
        training_memory, sampling_memory: bytes by what they are for.
        batch_size, clip_s: what a training step takes.
        sampled, chunk_s: how many chunks of what length are sampled at once.
        precision: of training, as Lightning calls it.
        fits: bytes of a GPU, and the largest batches whose training fits in them: as it is, and where blocks are
            computed again; None where no GPU was named.
        left_out: what is not counted, a sentence each.
    """

    codec: str
    sample_rate: int
    channels: int
    latent_dim: int
    tokens: float
    parameters: Mapping[str, int]
    frozen: int
    forward: float
    training: float
    sampling: float
    evaluations: int
    branches: int
    training_memory: Mapping[str, int]
    sampling_memory: Mapping[str, int]
    batch_size: int
    clip_s: float
    sampled: int
    chunk_s: float
    precision: str
    fits: tuple[int, int, int] | None
    left_out: list[str]


def cost(config: DictConfig) -> Cost:
    """What the model and the training of `config` cost.

    Args:
        config: of a training, with `chunk_s` and `batch_size` of what is sampled at once.

    Raises:
        SagaError: a model that cannot be built.
    """
    if min(config.data.num_samples, config.data.batch_size, config.chunk_s, config.batch_size) <= 0:
        raise ConfigError("data.num_samples, data.batch_size, chunk_s and batch_size must all be positive.")
    plan = outline(config)
    codec, rate = plan.model.codec, plan.model.sample_rate
    length, chunk = int(config.data.num_samples), max(1, round(config.chunk_s * rate))
    precision = _checked_precision(config)
    # PyTorch runs no backward for a GPU that is not there, and operations are as many everywhere.
    backbone = plan.backbone_on("cpu")
    backbone.checkpointing = config.trainer.checkpointing
    forward, training = step_flops(plan, backbone, plan.frames(length))
    return Cost(
        codec=str(config.codec._target_).rpartition(".")[2],
        sample_rate=rate,
        channels=codec.channels,
        latent_dim=codec.latent_dim,
        tokens=rate / codec.hop_length,
        parameters=parameters_by_part(plan.model.backbone) | {"conditioner": trained(plan.model.conditioner)},
        frozen=sum(parameter.numel() for parameter in frozen(plan.model)),
        forward=forward * rate / length,
        training=training * rate / length,
        sampling=sampling_flops(plan, backbone, plan.frames(chunk)) * rate / chunk,
        evaluations=len(evaluations(plan)),
        branches=len(plan.branches),
        training_memory=training_memory(plan, config, plan.frames(length), PRECISIONS[precision]),
        fits=None if config.gpu_memory is None else fits(plan, config, plan.frames(length), PRECISIONS[precision]),
        sampling_memory=sampling_memory(plan, config.batch_size, plan.frames(chunk)),
        batch_size=config.data.batch_size,
        clip_s=length / rate,
        sampled=config.batch_size,
        chunk_s=chunk / rate,
        precision=precision,
        left_out=plan.left_out,
    )


def _checked_precision(config: DictConfig) -> str:
    precision = str(config.trainer.precision)
    if precision not in PRECISIONS:
        raise ConfigError(
            f"trainer.precision={precision} is not one that memory is estimated for; choose one of "
            f"{', '.join(PRECISIONS)}."
        )
    return "bf16-mixed" if precision == "auto" else precision


def step_flops(plan: Outline, backbone: Backbone, frames: int) -> tuple[int, int]:
    """Operations of one example's forward, and of its forward and backward."""
    with plan.fake, counting_flops() as counter:
        loss = training_loss(plan, backbone, 1, frames, "cpu")
        forward = counter.get_total_flops()
        loss.backward()
        return forward, counter.get_total_flops()


def sampling_flops(plan: Outline, backbone: Backbone, frames: int) -> int:
    """Operations of all steps of sampling for one chunk, of all branches."""
    rows, computed = len(plan.branches), sum(evaluations(plan))
    with plan.fake, torch.no_grad(), counting_flops() as counter:
        z = torch.empty(rows, backbone.latent_dim, frames)
        conditioning = backbone.prepare(plan.conditioning(z))
        prepared = counter.get_total_flops()
        backbone(z, torch.empty(rows), conditioning)
        return prepared + computed * (counter.get_total_flops() - prepared) // rows


def evaluations(plan: Outline) -> list[int]:
    """Of how many branches each of the network's evaluations in sampling is."""
    found: list[int] = []

    def predict(z: Tensor, t: Tensor, n: int) -> tuple[Tensor, Tensor]:
        found.append(n)
        return z.expand(n, -1), torch.zeros_like(z)

    joined = JoinedBranches(predict, plan.branches, plan.model.guidance.schedule)
    plan.model.sampler(GuidedVelocity(joined), torch.zeros(1))
    return found


def training_memory(
    plan: Outline, config: DictConfig, frames: int, dtype: torch.dtype | None, batch_size: int | None = None
) -> dict[str, int]:
    """Bytes of a training step of one process, by what they are for, as if all were held at once.

    Args:
        batch_size: that of `config` where left out.
    """
    backbone, batch = plan.model.backbone, config.data.batch_size if batch_size is None else batch_size
    count = trained(plan.model)

    def kept(checkpointing: bool) -> int:
        def forward() -> None:
            with autocast(dtype):
                training_loss(plan, backbone, batch, frames, "cuda")

        backbone.checkpointing = checkpointing
        with plan.fake:
            return count_saved_bytes(forward, backbone.parameters())

    whole = kept(False)
    activations = whole
    if config.trainer.checkpointing:
        between = kept(True)
        # One block at a time has all that is within it, too.
        activations = between + (whole - between) // len(cast(nn.ModuleList, backbone.blocks))
    return {
        "weights": FLOAT32 * count,
        "gradients": FLOAT32 * count,
        "optimiser's moments": optimiser_bytes(config.optimizer) * count,
        "weight average": FLOAT32 * count if is_chosen(config.ema) else 0,
        "activations": activations,
        "frozen networks": _frozen_bytes(plan.model),
    }


def fits(plan: Outline, config: DictConfig, frames: int, dtype: torch.dtype | None) -> tuple[int, int, int]:
    """Bytes of the GPU that `config` names, and the largest batches that fit in nine tenths of it; see `Cost`.

    Raises:
        ConfigError: a size that is none.
    """
    limit = read_bytes(config.gpu_memory)
    largest = []
    for checkpointing in (False, True):
        changed = OmegaConf.merge(config, {"trainer": {"checkpointing": checkpointing}})
        assert isinstance(changed, DictConfig)
        one, two = (sum(training_memory(plan, changed, frames, dtype, batch).values()) for batch in (1, 2))
        largest.append(max(0, 1 + int((0.9 * limit - one) // (two - one))))
    return limit, largest[0], largest[1]


def read_bytes(size: Any) -> int:
    """How many bytes `24GiB`, `24GB` or a number say.

    Raises:
        ConfigError: none.
    """
    found = re.fullmatch(r"([0-9.]+) *(GiB|GB|MiB|MB|)", str(size).strip())
    try:
        number = float(found[1]) if found else 0.0
    except ValueError:
        number = 0.0
    if not found or number <= 0:
        raise ConfigError(f"gpu_memory={size} is no size; say it like 24GiB or 80GB.")
    return int(number * {"GiB": 2**30, "GB": 10**9, "MiB": 2**20, "MB": 10**6, "": 1}[found[2]])


def sampling_memory(plan: Outline, batch_size: int, frames: int) -> dict[str, int]:
    """Bytes of sampling so many chunks at once in bfloat16, by what they are for."""
    backbone, rows = plan.model.backbone, batch_size * len(plan.branches)

    def once() -> None:
        z = torch.empty(rows, backbone.latent_dim, frames, device="cuda")
        with torch.no_grad(), autocast(torch.bfloat16):
            backbone(z, torch.empty(rows, device="cuda"), backbone.prepare(plan.conditioning(z)))

    with plan.fake:
        activations = count_peak_bytes(once)
    return {
        "weights": FLOAT32 * trained(plan.model),
        "activations": activations,
        "frozen networks": _frozen_bytes(plan.model),
    }


def training_loss(plan: Outline, backbone: Backbone, batch_size: int, frames: int, device: str) -> Tensor:
    """The loss of a batch without values, as `SuperResolver.estimate` has it."""
    objective = plan.model.objective
    z = torch.empty(batch_size, backbone.latent_dim, frames, device=device)
    example = objective.corrupt(z)
    prediction = backbone(example.z_t, example.t, plan.conditioning(z))
    estimate = objective.estimate(prediction.value, example, z, prediction.variance)
    return torch.stack(list(plan.loss(estimate).values())).sum()


def optimiser_bytes(settings: DictConfig) -> int:
    """What the optimiser keeps for a parameter, of which it is asked on a small one."""
    weight = nn.Parameter(torch.zeros(64))
    weight.grad = torch.zeros(64)
    optimiser = instantiate(settings)([weight])
    optimiser.step()
    kept = (value for value in optimiser.state[weight].values() if isinstance(value, Tensor))
    return sum(value.nbytes for value in kept if value.shape == weight.shape) // len(weight)


def _frozen_bytes(model: nn.Module) -> int:
    return sum(parameter.nbytes for parameter in frozen(model))
