from __future__ import annotations

from types import SimpleNamespace

import torch
from lightning import LightningModule, Trainer
from torch.utils.data import DataLoader

from saga_sr.training.ema import EMA


class Walk(LightningModule):
    """A weight that moves by one each step."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.path: list[float] = []

    def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
        return -self.weight.sum()

    def on_train_batch_end(self, *_: object) -> None:
        self.path.append(self.weight.item())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 1.0)


def test_training_ends_with_the_average_that_the_formula_gives() -> None:
    module = Walk()
    trainer = Trainer(
        max_steps=30,
        callbacks=[EMA(0.6)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        accelerator="cpu",
    )
    trainer.fit(module, DataLoader(torch.zeros(30, 1)))
    expected = module.path[0]  # the first update copies
    for n, value in enumerate(module.path[1:], start=1):
        decay = min(0.6, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * value
    assert abs(module.weight.item() - expected) < 1e-4 and expected < 29.5


def test_the_average_is_where_the_weights_will_be() -> None:
    callback, trainer = EMA(0.6), SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("meta")))
    callback.setup(trainer, Walk(), "fit")  # type: ignore[arg-type]
    assert all(parameter.device.type == "meta" for parameter in callback._average_model.parameters())
