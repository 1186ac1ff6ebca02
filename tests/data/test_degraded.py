from __future__ import annotations

from pathlib import Path

import pytest
import torch

from saga_sr.audio.degradation import LowPassDegradation
from saga_sr.core.random_numbers import seeded
from saga_sr.data.folder_data import FolderData
from saga_sr.degradations.lossy_coding import LossyCoding
from saga_sr.degradations.mixture import DegradationMixture
from saga_sr.files.writing import write_audio

RATE = 44_100
CROPS = dict(sample_rate=RATE, num_samples=8192, channels=1, batch_size=4, epoch_size=16, validation_size=2, seed=0)


@pytest.mark.parametrize("workers", [0, 2])
def test_crops_are_degraded_by_their_own_seeds_wherever_they_are_made(tmp_path: Path, workers: int) -> None:
    for i in range(3):
        noise = 0.1 * torch.randn(1, RATE, generator=torch.Generator().manual_seed(i))
        write_audio(tmp_path / f"{i}.wav", noise, RATE)
    mixture = DegradationMixture(
        {"lowpass": LowPassDegradation(RATE), "mp3": LossyCoding("mp3", RATE)}, {"lowpass": 1, "mp3": 1}
    )
    data = FolderData(str(tmp_path), 0.3, num_workers=workers, **CROPS)
    assert mixture.on_cpu
    data.degrade(mixture, 1000)
    batches = list(data.train_dataloader())
    for batch in batches:
        expected = mixture(batch["hr"], seeded([1000 + i for i in batch["index"].tolist()]))
        assert torch.allclose(batch["lr"], expected.lr, atol=1e-6)
        assert torch.equal(batch["cutoff_hz"], expected.cutoff_hz)
    assert len(batches) == 4
    assert "lr" not in next(iter(data.val_dataloader()))
    assert all(batch.shape[1:] == (1, 8192) for batch in data.statistics_batches(2))
