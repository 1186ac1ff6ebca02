from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from saga_sr.core.run_folder import newest_whole
from saga_sr.training.checkpoints import NewestCheckpoints, WholeCheckpointIO


def test_a_failed_save_leaves_the_old_checkpoint_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    io, path = WholeCheckpointIO(), tmp_path / "new" / "step-1.ckpt"
    io.save_checkpoint({"a": torch.arange(3)}, path)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        io.save_checkpoint({"a": torch.arange(9)}, path)
    assert [p.name for p in path.parent.iterdir()] == ["step-1.ckpt"]
    assert torch.load(path, weights_only=True)["a"].tolist() == [0, 1, 2]


def test_the_newest_whole_checkpoint_is_found_and_damaged_ones_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert newest_whole(tmp_path) is None
    for step in (9, 10, 100):
        torch.save({"step": torch.tensor(step)}, tmp_path / f"step-{step}.ckpt")
    torch.save({}, tmp_path / "best-101.ckpt")
    assert newest_whole(tmp_path) == tmp_path / "step-100.ckpt"
    whole = (tmp_path / "step-100.ckpt").read_bytes()
    for broken in (whole[: len(whole) // 2], b""):
        (tmp_path / "step-100.ckpt").write_bytes(broken)
        assert newest_whole(tmp_path) == tmp_path / "step-10.ckpt"
        assert "step-100.ckpt is damaged" in caplog.text


class Rank:
    """What `NewestCheckpoints` sees of a trainer: steps, and how the other ranks decide."""

    max_steps, should_stop, is_global_zero = 10**6, False, True

    def __init__(self, others_say: bool = False) -> None:
        self.global_step = 0
        self.saved: list[str] = []
        self.strategy = SimpleNamespace(
            reduce_boolean_decision=lambda own, all: own or others_say, remove_checkpoint=Path.unlink
        )

    def save_checkpoint(self, path: Path) -> None:
        self.saved.append(path.name)


def steps_saved(rank: Rank, callback: NewestCheckpoints, seconds: list[float], clock: list[float]) -> list[str]:
    """What is saved when each step ends at its time of `seconds`; a step is two batches."""
    trainer: Any = rank
    callback.on_train_start(trainer, None)  # type: ignore[arg-type]
    for now in seconds:
        callback.on_train_batch_start(trainer, None, None, 0)  # type: ignore[arg-type]
        clock[0] = now
        callback.on_train_batch_start(trainer, None, None, 0)  # type: ignore[arg-type]
        rank.global_step += 1
    return rank.saved


def test_the_first_checkpoint_comes_early_whatever_every_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    callback = NewestCheckpoints(str(tmp_path), every=6, first_after_s=45)
    rank = Rank()
    assert steps_saved(rank, callback, [20, 40, 60, 80, 100, 120, 140, 160], clock) == ["step-3.ckpt", "step-6.ckpt"]
    # A second attempt begins at step 8: its clock begins anew.
    assert steps_saved(rank, callback, [170, 206, 999], clock)[2:] == ["step-10.ckpt"]
    never = NewestCheckpoints(str(tmp_path), every=6)
    assert steps_saved(Rank(), never, [100, 200, 300], clock) == []


def test_ranks_save_the_early_checkpoint_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 0.0)  # this rank's clock is slow
    callback = NewestCheckpoints(str(tmp_path), every=1000, first_after_s=45)
    assert steps_saved(Rank(others_say=True), callback, [0, 0, 0], [0]) == ["step-1.ckpt"]
