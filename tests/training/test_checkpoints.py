from __future__ import annotations

from pathlib import Path

import pytest
import torch

from saga_sr.core.run_folder import newest_whole
from saga_sr.training.checkpoints import WholeCheckpointIO


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
