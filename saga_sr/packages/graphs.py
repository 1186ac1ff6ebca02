"""A model's network and its sampling as modules with tensors in and tensors out, to be exported to other programs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from saga_sr.conditioning import Conditioning
from saga_sr.conditioning.types import ConditionValues, Port
from saga_sr.core.errors import PackageError
from saga_sr.flow.guidance import branches
from saga_sr.flow.prior import PURE_NOISE, Start
from saga_sr.flow.sampler import Sampler
from saga_sr.model import BranchConditioning, SuperResolver

# What sampling starts from; the graph takes the signs itself.
NOISES = {
    "gaussian": "independent normal numbers",
    "rademacher": "independent normal numbers",
    "replicated": "the low band copied up, with normal numbers: see MDCT.replicated in saga_sr/codecs/mdct.py",
}
WIDTH = (
    "how wide the noise is that is added to z_lr: {prior_width:g}, and {prior_width_above:g} in channels that tell of "
    "frequencies above the cutoff"
)


class Graph(nn.Module, ABC):
    """A computation on tensors alone.

    Args:
        model: in evaluation mode.

    Attributes:
        name: of its file.
        inputs, outputs: what goes in and comes out, by name, in order.

    Raises:
        PackageError: a condition that no tensor stands for.
    """

    name: ClassVar[str]
    inputs: dict[str, Port]
    outputs: dict[str, Port]

    def __init__(self, model: SuperResolver) -> None:
        super().__init__()
        self.model = model
        self.latent = ("batch", model.codec.latent_dim, "frames")
        self.z_lr = Port(self.latent, "the low-passed recording's latent, 0 in channels above 1.03 times the cutoff")
        self.z_0, self.width = "noise", dict[str, Port]()
        if model.objective.prior == "low_resolution":
            self.z_0 = "(z_lr + width noise)"
            self.width["width"] = Port(("batch", model.codec.latent_dim, 1), WIDTH.format(**vars(model.objective)))
        self.conditions: dict[str, Port] = {}
        for name, condition in model.conditioner.conditions.items():
            if condition.port is not None:
                self.conditions[name] = condition.port
            elif any(condition.dims):
                raise PackageError(
                    f"A model with the condition {name} cannot be exported to other programs, since "
                    f"{type(condition).__name__} names no tensor that stands for it (port)."
                )

    @abstractmethod
    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """The `outputs` of the `inputs`."""

    def describe(self, z_lr: Tensor, values: tuple[Tensor, ...]) -> Conditioning:
        """What guides the backbone, of the latent [b, c, frame] and of the values of the `conditions`."""
        conditioner = self.model.conditioner
        by_name = dict.fromkeys(conditioner.conditions) | dict(zip(self.conditions, values, strict=True))
        described = conditioner.describe(ConditionValues(z_lr.shape[0], z_lr.device, by_name))
        return conditioner.join_channels(described, z_lr)


class NetworkGraph(Graph):
    """One evaluation of the network: the velocity at (z_t, t), and the data's variance where the head states it."""

    name = "network"

    def __init__(self, model: SuperResolver) -> None:
        super().__init__(model)
        self.inputs = {
            "z_t": Port(self.latent, f"the point on the path, (1 - t) {self.z_0} + t z"),
            "t": Port(("batch",), "time, 0 at the start and 1 at the data"),
            "z_lr": self.z_lr,
            **self.conditions,
        }
        meaning = f"of the path, z - {self.z_0}; the data is z_t + (1 - t) velocity"
        self.outputs = {"velocity": Port(self.latent, meaning)}
        with torch.no_grad():
            if len(self(*examples(self, 1, 2))) > 1:
                units = ", in units of width^2" if self.width else ""
                self.outputs["variance"] = Port(self.latent, f"how uncertain the data is{units}")

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        z_t, t, z_lr, *values = given
        prediction = self.model.backbone(z_t, t, self.describe(z_lr, tuple(values)))
        velocity = self.model.objective.velocity(prediction.value.float(), z_t, t)
        return (velocity,) if prediction.variance is None else (velocity, prediction.variance)


class SamplerGraph(Graph):
    """From noise and a low-passed recording's latent to the restored latent, all steps and the guidance within."""

    name = "sampler"

    def __init__(self, model: SuperResolver, sampler: Sampler) -> None:
        super().__init__(model)
        self.sampler = sampler
        self.inputs = {
            "noise": Port(self.latent, NOISES[sampler.noise]),
            "z_lr": self.z_lr,
            **self.width,
            **self.conditions,
        }
        self.outputs = {"z": Port(self.latent, "the restored recording's latent")}

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        noise, z_lr, *values = given
        start = Start(z_lr, values.pop(0)) if self.width else PURE_NOISE
        described = self.describe(z_lr, tuple(values))
        weights = branches(self.model.guidance, self.model.conditioner.droppable)
        stacked = Conditioning.stack([described.drop(dropped) for dropped in weights])
        schedule = self.model.guidance.schedule
        prepared = BranchConditioning(weights, self.model.backbone.prepare(stacked), z_lr.shape[0], schedule)
        return (self.sampler(self.model.velocity(z_lr, prepared), noise, start=start),)


def examples(graph: Graph, batch: int, frames: int) -> tuple[Tensor, ...]:
    """Inputs of `graph`, always the same: normal latents, and numbers from 0 to 0.9."""
    generator = torch.Generator().manual_seed(batch)
    sizes = {"batch": batch, "frames": frames}
    found = []
    for port in graph.inputs.values():
        shape = [sizes[size] if isinstance(size, str) else size for size in port.shape]
        is_latent = "frames" in port.shape
        found.append((torch.randn if is_latent else torch.rand)(shape, generator=generator) * (1 if is_latent else 0.9))
    return tuple(found)
