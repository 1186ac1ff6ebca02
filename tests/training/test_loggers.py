from __future__ import annotations

import os
from pathlib import Path

import pytest
import wandb

from saga_sr.core.run_folder import read_curves
from saga_sr.training.loggers import ContinuedCSVLogger, wandb_logger


def logger(folder: Path) -> ContinuedCSVLogger:
    return ContinuedCSVLogger(str(folder), "csv", "", flush_logs_every_n_steps=1)


def test_a_resumed_run_adds_to_its_log_and_the_later_row_of_a_step_counts(tmp_path: Path) -> None:
    first = logger(tmp_path)
    for step in range(5):
        first.log_metrics({"train/loss": float(step)}, step)
    path = tmp_path / "csv/metrics.csv"
    path.write_bytes(path.read_bytes() + b"5,0.1")  # killed within a row
    second = logger(tmp_path)
    for step in (3, 4, 5, 6):
        second.log_metrics({"train/loss": 10.0 * step, "val/loss": 1.0}, step)
    curves = read_curves(tmp_path)
    assert curves["train/loss"] == [(0, 0), (1, 1), (2, 2), (3, 30), (4, 40), (5, 50), (6, 60)]
    assert [step for step, _ in curves["val/loss"]] == [3, 4, 5, 6]


def test_wandb_is_offline_without_a_key_or_a_network_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setattr(wandb, "api", type("Api", (), {"api_key": None})())
    wandb_logger(str(tmp_path), project="p")
    assert "no key is set" in caplog.text and "wandb sync" in caplog.text
    monkeypatch.setattr(wandb, "api", type("Api", (), {"api_key": "k"})())
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    wandb_logger(str(tmp_path), project="p")
    assert "127.0.0.1 cannot be reached" in caplog.text
    assert "WANDB_MODE" not in os.environ
