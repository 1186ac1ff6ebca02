"""A learning rate and a batch size are found with the data and the model of a run, and nothing is trained."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import QUICK
from hydra import compose, initialize_config_dir
from programs import ROOT, changed

from saga_sr.core.errors import ConfigError, TrainingError
from saga_sr.core.run_folder import FINISHED, read_record
from saga_sr.training.finders import LearningRate, memory_that_ends
from saga_sr.training.module import FlowMatchingModule
from saga_sr.training.run import run

FEW = ["trainer.accelerator=cpu", "data.num_samples=2048", "callbacks.progress=null"]


def found(folder: Path, *overrides: str) -> dict[str, float]:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", changed([*QUICK, *FEW], *overrides, f"paths.output_dir={folder}"))
    figures = run(config)
    record = read_record(folder)
    assert record is not None and record["status"] == FINISHED and record["figures"] == figures
    assert not (folder / "model").exists() and not list(folder.rglob("*.ckpt"))
    return figures


def test_a_learning_rate_is_told_in_a_sentence_a_table_and_a_picture(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    figures = found(tmp_path, "debug=lr_find", "find.steps=40", "find.lowest=1e-4")
    rate = figures["optimizer.lr"]
    with (tmp_path / "learning_rate.csv").open() as file:
        rows = [(float(row["learning_rate"]), float(row["loss"])) for row in csv.DictReader(file)]
    assert 12 < len(rows) <= 40 and rows[0][0] < rate < rows[-1][0]
    assert all(early < late for (early, _), (late, _) in pairwise(rows))
    assert (tmp_path / "learning_rate.png").read_bytes().startswith(b"\x89PNG")
    assert f"The loss falls fastest at optimizer.lr={rate:.2g}" in caplog.text
    with pytest.raises(TrainingError, match=r"find\.steps=8 are too few"):
        found(tmp_path / "few", "debug=lr_find", "find.steps=8")
    with pytest.raises(ConfigError, match=r"below find\.highest=0\.1"):
        LearningRate(0.2, 0.1, 100)


def test_the_largest_batch_that_fits_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    loss_terms, tried = FlowMatchingModule.loss_terms, []

    def for_at_most_5(self: FlowMatchingModule, batch: dict[str, Any], seeds: list[int]) -> dict[str, torch.Tensor]:
        tried.append(len(seeds))
        if len(seeds) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
        return loss_terms(self, batch, seeds)

    monkeypatch.setattr(FlowMatchingModule, "loss_terms", for_at_most_5)
    assert found(tmp_path, "debug=batch_size", "find.steps=1", "data.epoch_size=16") == {"data.batch_size": 4}
    assert [*dict.fromkeys(tried)][-5:] == [2, 4, 8, 6, 5]  # and a twentieth is left
    assert "The largest batch that fits with a little to spare is data.batch_size=4." in caplog.text


def test_memory_ends_on_a_cpu_as_it_does_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """An allocation fails, in the words that the tuner knows, instead of ending the process."""
    real = Path.read_text
    said = {"/proc/meminfo": "MemTotal: 9 kB\nMemAvailable:  262144 kB\n"}
    monkeypatch.setattr(Path, "read_text", lambda self: said.get(str(self)) or real(self))
    with memory_that_ends():
        assert torch.zeros(2**20).sum() == 0
        with pytest.raises(RuntimeError, match="DefaultCPUAllocator: can't allocate memory"):
            torch.zeros(2**30)
    assert torch.empty(2**28).nbytes == 2**30
