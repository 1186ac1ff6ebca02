"""The LightningModule around a `SuperResolver`: one loss, validated by listening."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from saga_sr.audio.degradation import Degradation, LowPassFilter, degrade
from saga_sr.audio.spectrum import bandwidth_hz
from saga_sr.core.random_numbers import seeded
from saga_sr.evaluation.metrics import measure
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.settings import EnhanceSettings
from saga_sr.model import Pair, SuperResolver
from saga_sr.training.distillation import Distillation
from saga_sr.training.parts import Parts
from saga_sr.training.rounded_weights import RoundedAdamW
from saga_sr.training.sharding import gathered, whole

# Seeds of one run's examples. Validation has the first ones, in every run.
SEEDS_PER_RUN = 2**32
# What validation logs of the metrics.
VALIDATED = ("lsd", "lsd_hf", "energy_hf_db", "onset_hf_db", "si_sdr")


class FlowMatchingModule(LightningModule):
    """Trains the backbone and the conditioner of `model` by flow matching.

    Every random draw for an example comes from a generator seeded by (seed, index of the example), so that it is the
    same in whatever batch, on whatever rank, and after whatever interruption the example comes.

    Args:
        model: what is trained.
        loss: maps an `Estimate` to named terms; their sum is minimised.
        degradation: makes the low-resolution input of a batch.
        optimizer, scheduler: constructors, of parameters and of the optimiser; the scheduler steps per step.
        seed: of the draws.
        validation_cutoff_hz: of the low-pass (Chebyshev I, order 8) that validation samples are restored from, where
            the data has no degraded recordings of its own.
        validation_batches: how many validation batches are sampled and measured; the loss is taken of all.
        enhance: how they are restored.
        distillation: makes the estimates of a model that learns from a teacher instead of from data.
    """

    def __init__(
        self,
        model: SuperResolver,
        loss: nn.Module,
        degradation: Degradation,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[[Optimizer], LRScheduler],
        seed: int,
        validation_cutoff_hz: float,
        validation_batches: int,
        enhance: EnhanceSettings | None = None,
        distillation: Distillation | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.degradation = degradation
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler
        self.seed = seed
        self.validation_cutoff_hz = validation_cutoff_hz
        self.validation_batches = validation_batches
        self.enhance = enhance or EnhanceSettings()
        self.distillation = distillation
        self.parts = Parts()
        # Or else a batch that does not fit is an error.
        self.may_take_parts = True
        # The batch whose backward comes next, and its gradients where they were computed by parts.
        self.waiting: tuple[dict[str, Any], list[int]] = {}, []
        self.gradients: list[Tensor | None] | None = None

    @property
    def first_seed(self) -> int:
        """Of this run's examples."""
        return (self.seed + 1) * SEEDS_PER_RUN

    def training_step(self, batch: dict[str, Any], batch_index: int) -> Tensor:
        seeds = [self.first_seed + index for index in batch["index"].tolist()]
        self.waiting = batch, seeds
        terms: dict[str, Tensor] | None = None
        if self.parts.count == 1:
            try:
                terms = self.loss_terms(batch, seeds)
            except torch.OutOfMemoryError:
                if not self._takes_parts():
                    raise
        if terms is None:
            terms, self.gradients = self.parts.gradients(batch, seeds, self.loss_terms, self._trained())
        loss = torch.stack(list(terms.values())).sum()
        # What the trainer goes back from has to have a graph, though nothing is left to go back along.
        loss = loss if self.gradients is None else loss.requires_grad_()
        settings: dict[str, Any] = {"batch_size": len(batch["index"]), "sync_dist": self.trainer.world_size > 1}
        self.log("train/loss", loss.detach(), prog_bar=True, **settings)
        self.log_dict({f"train/{name}": value.detach() for name, value in terms.items()}, **settings)
        return loss

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Add the gradients of `loss`, or those that were computed by parts already."""
        if self.gradients is None:
            try:
                super().backward(loss, *args, **kwargs)
                return
            except torch.OutOfMemoryError:
                # Of gradients that others were added to before, nobody knows which part is of this batch.
                if not self._takes_parts() or self.trainer.accumulate_grad_batches > 1:
                    raise
            self.zero_grad()
            self.parts.double(len(self.waiting[1]))
            with self.trainer.precision_plugin.forward_context():
                _, self.gradients = self.parts.gradients(*self.waiting, self.loss_terms, self._trained())
        scale = 1 / self.trainer.accumulate_grad_batches
        for parameter, gradient in zip(self._trained(), self.gradients, strict=True):
            if gradient is not None:
                gradient = gradient * scale
                parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
        self.gradients = None

    def _trained(self) -> list[Tensor]:
        """What gradients are of."""
        return [p for group in self.trainer.optimizers[0].param_groups for p in group["params"]]

    def _takes_parts(self) -> bool:
        """Whether gradients may be summed here: processes would wait for each other, and float16 scales them."""
        return self.may_take_parts and self.trainer.world_size == 1 and self.trainer.precision != "16-mixed"

    def validation_step(self, batch: dict[str, Any], batch_index: int) -> dict[str, Tensor] | None:
        """Log the loss; for the first batches also restore the clips and measure them."""
        hr, seeds = batch["hr"], batch["index"].tolist()
        loss = torch.stack(list(self.loss_terms(batch, seeds).values())).sum()
        self.log("val/loss", loss, batch_size=len(hr), sync_dist=True, prog_bar=True)
        if batch_index >= self.validation_batches:
            return None
        cutoff_hz = self.cutoffs_hz(batch)
        with gathered(self.model):
            restored = self._restore(batch, cutoff_hz)
        output, rate = restored["output"], self.model.sample_rate
        figures = measure(output, hr, cutoff_hz, rate, batch.get("edge_hz"))
        measured = {f"val/{name}": figures[name].mean() for name in VALIDATED}
        self.log_dict(measured, batch_size=len(hr), sync_dist=True, prog_bar=True)
        return restored

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = self.make_optimizer([p for p in self.model.parameters() if p.requires_grad])
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self.make_scheduler(optimizer), "interval": "step"},
        }

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip by norm and log the norm.

        Lightning refuses to clip for fused optimisers, since with float16 they unscale gradients by themselves; in
        bfloat16 and float32 there is nothing to unscale.
        """
        if self.trainer.precision == "16-mixed" or gradient_clip_algorithm == "value":
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
            return
        limit = float("inf") if gradient_clip_val is None else gradient_clip_val
        if isinstance(optimizer, RoundedAdamW):
            norm = optimizer.clip(limit)
        else:
            # Of the optimiser's own lists: walking through the model takes as long as the norm.
            norm = nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], limit)
        self.log("train/gradient_norm", whole(norm))

    def loss_terms(self, batch: dict[str, Any], seeds: list[int]) -> dict[str, Tensor]:
        """The named terms of the loss of a batch, an example's draws from its own of the `seeds`.

        Args:
            batch: `caption`, and either audio `hr` [b, c, time] or prepared latents (see `LatentCrops`). Beside `hr`
                may be `lr`, if that is made or was recorded, with its `cutoff_hz` [b] if it is known, and `edge_hz`
                [b], where the content of `hr` itself ends.
        """
        pair = self._pair(batch, seeds)
        draws = seeded(seeds, pair.z_hr.device)
        return self.loss(
            self.model.estimate(pair, draws)
            if self.distillation is None
            else self.distillation(self.model, pair, draws)
        )

    def _pair(self, batch: dict[str, Any], seeds: list[int]) -> Pair:
        if "hr" not in batch:
            return self.model.stored_pair(
                batch["z_hr"], batch["z_lr"], batch["caption"], batch["cutoff_hz"], batch["measured"], batch["edge_hz"]
            )
        hr, edge_hz = batch["hr"], batch.get("edge_hz")
        if "lr" in batch:
            return self.model.pair(hr, batch["lr"], batch["caption"], batch.get("cutoff_hz"), edge_hz)
        with torch.autocast(hr.device.type, enabled=False):
            degraded = self.degradation(hr, seeded(seeds))
        return self.model.pair(hr, degraded.lr, batch["caption"], degraded.cutoff_hz, edge_hz)

    def seconds(self, batch: dict[str, Any]) -> float:
        """How much audio a batch stands for, all its items together."""
        codec = self.model.codec
        length = batch["hr"].shape[-1] if "hr" in batch else batch["z_hr"].shape[-1] * codec.hop_length
        return len(batch["index"]) * length / codec.sample_rate

    def cutoffs_hz(self, batch: dict[str, Any]) -> Tensor:
        """Where the content of each clip that validation restores ends, [b]: measured where `lr` was recorded."""
        if "lr" in batch:
            with torch.autocast(batch["lr"].device.type, enabled=False):
                return bandwidth_hz(batch["lr"], self.model.sample_rate)
        return torch.full((len(batch["hr"]),), self.validation_cutoff_hz, device=batch["hr"].device)

    def _restore(self, batch: dict[str, Any], cutoff_hz: Tensor) -> dict[str, Tensor]:
        """The recorded or low-passed clips restored, as a user would."""
        hr = batch["hr"]
        with torch.autocast(hr.device.type, enabled=False):
            if "lr" in batch:
                lr = batch["lr"]
            else:
                filters = [LowPassFilter("chebyshev1", 8, hz) for hz in cutoff_hz.tolist()]
                lr = degrade(hr, filters, self.model.sample_rate)
            output = Enhancer(self.model, self.enhance).clips(lr, cutoff_hz.cpu(), batch["caption"])
        return {"input": lr, "output": output.to(hr.device), "reference": hr}
