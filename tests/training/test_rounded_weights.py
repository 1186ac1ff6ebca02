"""Weights kept in bfloat16 beside the exact ones: the same training as without, however it is interrupted."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from conftest import TINY_SAGA, awake, model_config
from hydra.utils import instantiate
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader

from saga_sr.audio.degradation import LowPassDegradation
from saga_sr.backbones.layers import Linear
from saga_sr.core.errors import ConfigError
from saga_sr.losses.mse import VelocityMSE
from saga_sr.training import rounded_weights
from saga_sr.training.ema import EMA
from saga_sr.training.module import FlowMatchingModule
from saga_sr.training.rounded_weights import RoundedAdamW, rounding

ADAMW = partial(torch.optim.AdamW, lr=1e-2, weight_decay=0.1, fused=True)


def module(rounded: bool) -> FlowMatchingModule:
    torch.manual_seed(0)
    model = awake(instantiate(model_config(tiny=TINY_SAGA))).train()
    make: Any = rounding(ADAMW, model.backbone, "bf16-mixed", 1) if rounded else ADAMW
    constant = partial(torch.optim.lr_scheduler.ConstantLR, factor=1.0)
    return FlowMatchingModule(model, VelocityMSE(), LowPassDegradation(44_100), make, constant, 0, 4000.0, 0)


def trained(
    made: FlowMatchingModule, clip: float | None, folder: Path, checkpoint: Path | None = None
) -> dict[str, Tensor]:
    """What a checkpoint holds after four steps: exact weights, averaged ones and moments; one of two is kept, too."""
    draw = torch.Generator().manual_seed(0)
    items = [{"hr": 0.1 * torch.randn(1, 4096, generator=draw), "caption": "", "index": i} for i in range(4)]
    keeping = ModelCheckpoint(folder, "{step}", every_n_train_steps=2, save_top_k=-1)
    trainer = lightning.Trainer(
        accelerator="cpu", precision="bf16-mixed", max_steps=4, logger=False, enable_progress_bar=False,
        enable_model_summary=False, gradient_clip_val=clip, callbacks=[EMA(0.9), keeping],
    )  # fmt: skip
    trainer.fit(made, DataLoader(items, batch_size=2), ckpt_path=checkpoint, weights_only=True)
    saved = torch.load(folder / "step=4.ckpt", weights_only=True)
    moments = saved["optimizer_states"][0]["state"]
    found = {f"{i} {name}": value for i, state in moments.items() for name, value in state.items()}
    return found | saved["state_dict"] | {f"current {name}": x for name, x in saved["current_model_state"].items()}


@pytest.mark.parametrize("clip", [None, 0.5], ids=["whole", "clipped"])
def test_training_goes_the_same_way(clip: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit; where pieces end otherwise than PyTorch's own, and the norm is taken in another order, nearly so."""
    if clip:
        monkeypatch.setattr(rounded_weights, "AT_ONCE", 100)
    plain, rounded = (trained(module(kind), clip, tmp_path / str(kind)) for kind in (False, True))
    assert plain.keys() == rounded.keys()
    for name, value in plain.items():
        assert rounded[name].dtype == value.dtype
        same = torch.equal(value, rounded[name]) if clip is None else torch.allclose(value, rounded[name], atol=1e-5)
        assert same, name


def test_an_interrupted_training_goes_on_exactly(tmp_path: Path) -> None:
    whole = trained(module(True), 0.5, tmp_path)
    again = trained(module(True), 0.5, tmp_path / "again", tmp_path / "step=2.ckpt")
    assert all(torch.equal(value, again[name]) for name, value in whole.items())


def test_rounded_weights_are_those_of_the_linear_layers_and_none_in_use() -> None:
    made = module(True)
    optimizer: Any = made.make_optimizer([p for p in made.model.parameters() if p.requires_grad])
    layers = [layer for layer in made.model.backbone.modules() if isinstance(layer, Linear)]
    assert isinstance(optimizer, RoundedAdamW) and len(optimizer.exact) == len(layers) > 0
    x = torch.randn(3, layers[0].in_features)
    with torch.no_grad():
        layers[0].rounded.zero_()
    with torch.autocast("cpu", torch.bfloat16):
        training, use = layers[0].train()(x), layers[0].eval()(x)
    assert torch.equal(training[0], training[1]) and not torch.equal(use[0], use[1])


@pytest.mark.parametrize(
    ("make", "precision", "processes"),
    [(ADAMW, "32-true", 1), (ADAMW, "bf16-mixed", 2), (partial(torch.optim.SGD, lr=1.0), "bf16-mixed", 1)],
)
def test_what_cannot_have_them_is_said(make: Any, precision: str, processes: int) -> None:
    with pytest.raises(ConfigError, match=r"trainer\.rounded_weights=true is for optimizer=adamw"):
        rounding(make, torch.nn.Linear(2, 2), precision, processes)
