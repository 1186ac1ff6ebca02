from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from saga_sr.core.run_folder import FINISHED, STOPPED, read_record
from saga_sr.training import attempts


def config(**changed: Any) -> DictConfig:
    return OmegaConf.create({"seed": 1, "resume": "auto", "trainer": {"max_steps": 5}} | changed)


def begin(output: Path, checkpoint: Path | None = None, **changed: Any) -> dict[str, Any]:
    """The record after another attempt has begun in `output`."""
    settings = config(**changed)
    attempts.begin(settings, output, attempts.earlier_attempts(settings, output, checkpoint), checkpoint)
    record = read_record(output)
    assert record is not None
    return record


def test_attempts_without_a_checkpoint_are_counted_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = begin(tmp_path)
    assert first["attempts"] == 1 and not caplog.messages
    (tmp_path / "csv").mkdir()
    second = begin(tmp_path)  # the first was killed
    assert caplog.messages == [
        f"Attempt 1, begun at {first['began']}, left no whole checkpoint (killed, or the machine went down); training "
        "begins anew."
    ]
    assert second["attempts"] == 2 and second["id"] != first["id"] and not (tmp_path / "csv").exists()
    attempts.end(tmp_path, STOPPED, reason="stopped by the user")
    third = begin(tmp_path, trainer={"max_steps": 9})
    assert "Attempt 2" in caplog.messages[-1] and "(stopped by the user)" in caplog.messages[-1]
    attempts.end(tmp_path, FINISHED, steps=9)
    record = read_record(tmp_path)
    assert record is not None and (record["attempts"], record["status"], record["steps"]) == (3, FINISHED, 9)
    history = record["history"]
    assert [attempt["status"] for attempt in history] == ["lost", STOPPED, FINISHED]
    assert [attempt["reason"] for attempt in history] == [
        "killed, or the machine went down",
        "stopped by the user",
        None,
    ]
    assert history[0]["ended"] is None and history[2]["began"] == third["began"] and history[2]["ended"]


def test_going_on_keeps_the_run_and_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = begin(tmp_path)
    checkpoint = tmp_path / "checkpoints/step-4.ckpt"
    checkpoint.parent.mkdir()
    checkpoint.write_text("weights")
    second = begin(tmp_path, checkpoint)
    assert (second["id"], second["began"], second["attempts"]) == (first["id"], first["began"], 2)
    assert second["history"][-1]["from"] == "step-4.ckpt" and checkpoint.exists() and "anew" not in caplog.text


def test_another_command_begins_at_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    begin(tmp_path)
    assert begin(tmp_path, seed=2)["attempts"] == 1
    assert begin(tmp_path, seed=2, resume="never")["attempts"] == 1
    assert not caplog.messages
