from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import model_config
from recordings import low_passed, write_pair

from saga_sr.audio.degradation import LowPassDegradation
from saga_sr.core.errors import DataError
from saga_sr.data.pair_data import PairData
from saga_sr.data.pairs import find_pairs
from saga_sr.files.writing import write_audio
from saga_sr.losses.mse import VelocityMSE
from saga_sr.packages.package import build
from saga_sr.synthesis.dataset import SyntheticAudio
from saga_sr.training.module import FlowMatchingModule

RATE = 44_100
CROPS = dict(
    sample_rate=RATE, num_samples=8192, channels=1, batch_size=2, epoch_size=8, validation_size=2, num_workers=0, seed=0
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three pairs of different kinds for training, one for validation."""
    write_pair(tmp_path / "train", "plain", 1)
    write_pair(tmp_path / "train", "deep/late", 2, delay=1105, suffix=".flac", cut=700)
    write_pair(tmp_path / "train", "deep/early", 3, delay=-333, low_rate=16_000)
    write_pair(tmp_path / "valid", "held", 4)
    return tmp_path


def test_both_versions_are_of_the_same_moment_whatever_rate_delay_and_length(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        crops = PairData(str(root), **CROPS).train_dataset()
    assert "In 2 pairs of" in caplog.text and "by -7.55 to 25.06 ms; this is undone" in caplog.text
    names = set()
    for i in range(24):
        item = crops[i]
        names.add(item["name"].partition("@")[0])
        hr, lr = item["hr"][:, 1000:-1000], item["lr"][:, 1000:-1000]
        assert item["hr"].shape == item["lr"].shape == (1, 8192)
        error = (low_passed(item["hr"])[:, 1000:-1000] - lr).square().mean() / lr.square().mean()
        assert float(error) < 3e-2 and not torch.allclose(hr, lr, atol=1e-3)
    assert names == {"plain", "late", "early"}


def test_crops_depend_on_seed_and_index_alone_and_lie_within_both(root: Path) -> None:
    one, other = (PairData(str(root), **CROPS).train_dataset() for _ in range(2))
    other[3]
    for key in ("hr", "lr"):
        assert torch.equal(one[11][key], other[11][key])
    (late,) = (pair for pair in find_pairs(root / "train", RATE) if pair.high.path.stem == "late")
    assert (late.delay, late.first, late.end) == (1105, 0, 2 * RATE - 700)
    clip = PairData(str(root), **CROPS).held_out_dataset(2, 3 * RATE, 7)[0]
    # Longer than the recording.
    assert float(clip["hr"][:, 2 * RATE :].abs().max()) == float(clip["lr"][:, 2 * RATE :].abs().max()) == 0


def test_pairs_that_are_none_are_named_and_left_out(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    side = root / "train"
    write_audio(side / "low/other.wav", SyntheticAudio(1, 2 * RATE, RATE, 8)[0]["hr"], RATE)
    write_audio(side / "high/other.wav", SyntheticAudio(1, 2 * RATE, RATE, 9)[0]["hr"], RATE)
    drifting = SyntheticAudio(1, 12 * RATE, RATE, 10)[0]["hr"]
    write_audio(side / "high/drift.wav", drifting, RATE)
    write_audio(side / "low/drift.wav", torch.cat([drifting[:, : 6 * RATE], drifting[:, 6 * RATE + 50 :]], 1), RATE)
    write_audio(side / "high/short.wav", drifting[:, : 3 * RATE], RATE)
    write_audio(side / "low/short.wav", drifting, RATE)
    write_audio(side / "high/alone.wav", drifting, RATE)
    (side / "low/plain.wav").write_text("no audio")
    pairs = find_pairs(side, RATE)
    assert {pair.high.path.stem for pair in pairs} == {"late", "early"}
    assert "1 files in" in caplog.text and "alone.wav) and are left out" in caplog.text
    assert "4 of 6 pairs are left out" in caplog.text
    for reason in ("do not sound alike", "drifts against", "by 50 samples", "differ in length by 9.0 s", "plain.wav"):
        assert reason in caplog.text


def test_without_low_the_degradation_makes_it(root: Path) -> None:
    (root / "valid").rename(root / "validation")
    (root / "validation/low").rename(root / "kept")
    data = PairData(str(root), **CROPS)
    (batch,) = data.val_dataloader()
    assert "lr" not in batch and batch["hr"].shape == (2, 1, 8192)
    assert data.describe() == "3 recordings for training, with their degraded versions, and 1 recordings held out."


def test_wrong_folders_are_answered_in_one_sentence(root: Path) -> None:
    with pytest.raises(DataError, match=r"has no folder train/high; put"):
        PairData(str(root / "train"), **CROPS).train_dataset()
    with pytest.raises(DataError, match=r"has no folder valid/high or validation/high; put"):
        PairData(str(root / "missing"), **CROPS).held_out_dataset(1, 8192, 0)
    (root / "valid/low/held.wav").rename(root / "valid/low/other.wav")
    with pytest.raises(DataError, match=r"No file in .* has the name of one in"):
        PairData(str(root), **CROPS).held_out_dataset(1, 8192, 0)
    (root / "valid/low/other.wav").write_text("no audio")
    (root / "valid/low/other.wav").rename(root / "valid/low/held.wav")
    with pytest.raises(DataError, match=r"None of the 1 pairs in .* can be used; the first: .*held.wav"):
        PairData(str(root), **CROPS).held_out_dataset(1, 8192, 0)
    write_audio(root / "valid/high/held.wav", torch.rand(1, 900), RATE)
    with pytest.raises(DataError, match="are one recording by their names; keep one"):
        PairData(str(root), **CROPS).held_out_dataset(1, 8192, 0)


class Unwanted(LowPassDegradation):
    def __call__(self, *_: Any) -> Any:
        raise AssertionError("recorded pairs are not degraded")


def test_training_and_validation_take_the_recorded_low_version(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = PairData(str(root), **CROPS)
    model = build(model_config("enhance.sampler.steps=1"))
    none: Any = None
    module = FlowMatchingModule(model, VelocityMSE(), Unwanted(RATE), none, none, 0, 4000.0, 1)
    batch = next(iter(data.train_dataloader()))
    assert all(bool(term.isfinite()) for term in module.loss_terms(batch, [1, 2]).values())
    logged: dict[str, torch.Tensor] = {}
    monkeypatch.setattr(module, "log", lambda name, value, **_: logged.update({name: value}))
    monkeypatch.setattr(module, "log_dict", lambda values, **_: logged.update(values))
    (batch,) = data.val_dataloader()
    restored = module.validation_step(batch, 0)
    assert restored is not None and torch.equal(restored["input"], batch["lr"])
    assert all(bool(logged[name].isfinite()) for name in ("val/loss", "val/lsd", "val/lsd_hf", "val/si_sdr"))
    assert all(2700 < hz < 3300 for hz in module.cutoffs_hz(batch).tolist())
    # What is below the edge is taken from the recorded version.
    below = low_passed(restored["output"][0])[:, 2000:-2000] - batch["lr"][0][:, 2000:-2000]
    assert float(below.square().mean() / batch["lr"][0].square().mean()) < 0.05
