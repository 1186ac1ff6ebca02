"""Training that the clock ends goes on from a kill by what the clock had said, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.utils.data import DataLoader

from saga_sr.core.errors import ConfigError
from saga_sr.training.checkpoints import NewestCheckpoints
from saga_sr.training.schedules import WarmupCosine
from saga_sr.training.time_budget import TimeBudget, read_clock, seconds


class Killed(Exception):
    """Stands for a SIGKILL: nothing is saved."""


class Walk(LightningModule):
    """A weight whose path tells each step's learning rate."""

    def __init__(self, killed_at: int | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.killed_at = killed_at

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        if self.trainer.global_step == self.killed_at:
            raise Killed
        return -self.weight.sum()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = torch.optim.SGD(self.parameters(), 1.0)
        scheduler = WarmupCosine(optimizer, total_steps=10**6, floor=0.1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def fit(folder: Path, walk: Walk, checkpoint: Path | None = None) -> int:
    """Train for a minute of the clock; the steps that this took."""
    folder.mkdir(exist_ok=True)
    trainer = Trainer(
        max_steps=10**6, logger=False, enable_progress_bar=False, enable_model_summary=False, accelerator="cpu",
        callbacks=[TimeBudget("00:00:01:00", folder), NewestCheckpoints(str(folder), every=4, keep=99)],
    )  # fmt: skip
    trainer.fit(walk, DataLoader(torch.zeros(7, 1)), ckpt_path=checkpoint, weights_only=True)
    return trainer.global_step


def test_a_killed_run_repeats_its_steps_by_the_record_and_ends_annealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, pace = [0.0], [2.5]

    def clock() -> float:
        now[0] += pace[0]
        return now[0]

    monkeypatch.setattr("saga_sr.training.time_budget.time.monotonic", clock)
    whole, killed = Walk(), Walk(killed_at=10)
    steps = fit(tmp_path / "whole", whole)
    record = read_clock(tmp_path / "whole/clock.csv")
    assert [*record] == [*range(steps)] and record[steps - 1] >= 60 > record[steps - 2]
    with pytest.raises(Killed):
        fit(tmp_path / "killed", killed)
    # Step 8 is the newest checkpoint; 8, 9 and 10 have been begun. The machine is now half as fast.
    assert read_clock(tmp_path / "killed/clock.csv") == {step: record[step] for step in range(11)}
    (tmp_path / "killed/clock.csv").open("a").write("11,27")
    now[0] += 9999
    pace[0] = 5.0
    again = Walk()
    fit(tmp_path / "killed", again, tmp_path / "killed/step-8.ckpt")
    clock_of_both = read_clock(tmp_path / "killed/clock.csv")
    assert {step: clock_of_both[step] for step in range(11)} == {step: record[step] for step in range(11)}
    assert clock_of_both[12] - clock_of_both[11] == 5 and 60 <= max(clock_of_both.values()) < 65

    # By a whole record, the whole run is repeated, at whatever pace, and its last step is the same.
    repeated = Walk()
    (tmp_path / "killed/clock.csv").write_text((tmp_path / "whole/clock.csv").read_text())
    assert fit(tmp_path / "killed", repeated, tmp_path / "killed/step-8.ckpt") == steps
    assert torch.equal(repeated.weight, whole.weight) and not torch.equal(again.weight, whole.weight)
    # Killed after the last step, there is no other one.
    assert fit(tmp_path / "whole", Walk(), tmp_path / f"whole/step-{steps}.ckpt") == steps


@pytest.mark.parametrize("wrong", ["5 min", "1:00:00", "00:00:00:00", "-1:00:00:00"])
def test_a_time_that_cannot_be_read_is_said(wrong: str) -> None:
    with pytest.raises(ConfigError, match="days:hours:minutes:seconds"):
        seconds(wrong)
    assert seconds("01:02:03:04") == ((24 + 2) * 60 + 3) * 60 + 4
