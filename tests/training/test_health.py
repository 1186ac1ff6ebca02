from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from saga_sr.core.errors import TrainingError
from saga_sr.core.run_folder import read_curves
from saga_sr.training.health import SkipNonFinite, Throughput


class Line(lightning.LightningModule):
    """Learns a number; the batches in `broken` give a gradient that is not finite."""

    def __init__(self, broken: set[int]) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.broken = broken
        self.path: list[float] = []

    def seconds(self, batch: dict[str, Any]) -> float:
        return batch["hr"].numel() / 100

    def training_step(self, batch: dict[str, Any], index: int) -> torch.Tensor:
        self.path.append(self.weight.item())
        loss = (self.weight - 1).square().sum()
        return loss * float("nan") if index in self.broken else loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), 0.1)


def fit(module: Line, folder: Path, *callbacks: lightning.Callback, steps: int = 12) -> None:
    items = [{"hr": torch.zeros(1, 50), "index": i} for i in range(2 * steps)]
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", callbacks=list(callbacks), logger=CSVLogger(folder, "csv", ""),
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1,
    )  # fmt: skip
    trainer.fit(module, DataLoader(items, batch_size=2))


def test_a_step_that_is_not_finite_changes_nothing_and_is_counted(tmp_path: Path) -> None:
    whole, skipping = Line(set()), Line({3, 4, 8})
    fit(whole, tmp_path / "a", SkipNonFinite(most=2), steps=9)
    fit(skipping, tmp_path / "b", SkipNonFinite(most=2), steps=12)
    kept = [value for i, value in enumerate(skipping.path) if i not in skipping.broken]
    assert kept == whole.path
    assert [count for _, count in read_curves(tmp_path / "b")["train/skipped_steps"]][::4] == [1.0, 2.0, 3.0]
    assert "train/skipped_steps" not in read_curves(tmp_path / "a")


def test_too_many_in_a_row_end_the_run_with_the_cause(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"3 steps in a row, up to step 7.*still finite.*optimizer.lr"):
        fit(Line({5, 6, 7}), tmp_path, SkipNonFinite(most=2))


def test_throughput_counts_samples_seconds_and_waiting(tmp_path: Path) -> None:
    fit(Line(set()), tmp_path, Throughput(every=4))
    curves = read_curves(tmp_path)
    samples, audio = (dict(curves[f"system/{name}_per_s"]) for name in ("samples", "audio_s"))
    assert min(samples) == 3.0 and len(set(samples.values())) == 3
    assert all(audio[step] == pytest.approx(0.5 * samples[step]) for step in samples)
    assert all(0 <= share < 1 for _, share in curves["system/waiting_for_data"])
