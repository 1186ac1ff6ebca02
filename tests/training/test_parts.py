from __future__ import annotations

from functools import partial
from typing import Any

import lightning
import pytest
import torch
from conftest import awake, model_config
from torch import Tensor
from torch.utils.data import DataLoader

from saga_sr.audio.degradation import LowPassDegradation
from saga_sr.losses.mse import VelocityMSE
from saga_sr.packages.package import build
from saga_sr.training.module import FlowMatchingModule


def make_module() -> FlowMatchingModule:
    torch.manual_seed(0)
    return FlowMatchingModule(
        awake(build(model_config("backbone.head=linear", "objective=velocity"))),
        loss=VelocityMSE(),
        degradation=LowPassDegradation(44_100),
        optimizer=partial(torch.optim.SGD, lr=0.1),
        scheduler=partial(torch.optim.lr_scheduler.ConstantLR, factor=1.0),
        seed=0,
        validation_cutoff_hz=4000.0,
        validation_batches=0,
    )


def trained(module: FlowMatchingModule, accumulate: int = 1) -> dict[str, Tensor]:
    """The weights after two steps of batches of four."""
    draw = torch.Generator().manual_seed(0)
    items = [
        {"hr": 0.1 * torch.randn(1, 4096, generator=draw), "caption": "", "index": i} for i in range(8 * accumulate)
    ]
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accumulate_grad_batches=accumulate, gradient_clip_val=1.0,
    )  # fmt: skip
    trainer.fit(module, DataLoader(items, batch_size=4))
    return {name: value.clone() for name, value in module.model.backbone.named_parameters()}


def limited(module: FlowMatchingModule, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """No memory for more than one example, in the loss or in its backward."""
    whole = module.loss_terms

    class Full(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory")

    def loss_terms(batch: dict[str, Any], seeds: list[int]) -> dict[str, Tensor]:
        if len(seeds) > 1 and where == "loss":
            raise torch.OutOfMemoryError("CUDA out of memory")
        terms = whole(batch, seeds)
        return terms if len(seeds) == 1 else {name: Full.apply(term) for name, term in terms.items()}

    monkeypatch.setattr(module, "loss_terms", loss_terms)


@pytest.mark.parametrize(("where", "accumulate"), [("loss", 1), ("backward", 1), ("loss", 2)])
def test_a_batch_that_does_not_fit_is_taken_in_parts_and_learned_from_as_a_whole(
    where: str, accumulate: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = trained(make_module(), accumulate)
    module = make_module()
    before = {name: value.clone() for name, value in module.model.backbone.named_parameters()}
    limited(module, monkeypatch, where)
    found = trained(module, accumulate)
    for name, value in found.items():
        assert torch.allclose(value, expected[name], atol=1e-5), name
    assert any(not torch.equal(value, before[name]) for name, value in found.items())
    assert module.parts.count == 4 and "it is taken in 4 parts" in caplog.text


def test_one_example_that_does_not_fit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    module = make_module()

    def loss_terms(batch: dict[str, Any], seeds: list[int]) -> dict[str, Tensor]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(module, "loss_terms", loss_terms)
    with pytest.raises(torch.OutOfMemoryError, match="One example alone"):
        trained(module)
