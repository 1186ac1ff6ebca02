from __future__ import annotations

from pathlib import Path

import pytest
import torch

from saga_sr.core.errors import AudioError, ConfigError, DataError
from saga_sr.data.folder import AudioFolder
from saga_sr.data.folder_data import FolderData
from saga_sr.data.recordings import find_recordings
from saga_sr.data.sampler import EpochSampler
from saga_sr.data.split import Split, split_recordings
from saga_sr.data.synthetic_data import SyntheticData
from saga_sr.files.writing import write_audio

RATE = 44_100
CROPS = dict(
    sample_rate=RATE,
    num_samples=4096,
    channels=1,
    batch_size=4,
    epoch_size=16,
    validation_size=4,
    num_workers=0,
    seed=0,
)


def split_folder(path: Path, fraction: float) -> Split:
    return split_recordings(find_recordings(path), None, fraction)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten files of noise, each at a level of its own, one of them a broken one."""
    for i in range(10):
        audio = 10 ** (-i / 10) * 0.3 * torch.rand(1 + i % 2, 20_000 + 1000 * i).sub(0.5).sign()
        write_audio(tmp_path / f"sub{i % 3}/f{i}.wav", audio, RATE if i % 4 else 22_050)
    (tmp_path / "broken.wav").write_text("not audio")
    return tmp_path


def test_no_file_is_on_both_sides_and_broken_ones_are_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    split = split_folder(folder, 0.25)
    train, validation = ({info.path for info in side} for side in (split.train, split.validation))
    assert len(train) == 8 and len(validation) == 2 and not train & validation
    assert "1 of 11 files are left out" in caplog.text and "broken.wav" in caplog.text
    assert split_folder(folder, 0.25) == split


def test_too_little_audio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no folder"):
        split_folder(tmp_path / "missing", 0.1)
    with pytest.raises(AudioError, match="no audio files"):
        split_folder(tmp_path, 0.1)
    write_audio(tmp_path / "a.wav", torch.rand(1, 1000), RATE)
    with pytest.raises(DataError, match="one each"):
        split_folder(tmp_path, 0.1)
    with pytest.raises(ConfigError):
        FolderData(str(tmp_path), 1.5, **CROPS)


def test_crops_depend_on_seed_and_index_alone(folder: Path) -> None:
    files = split_folder(folder, 0.1).train
    data, again, other = (AudioFolder(files, 100, 4096, RATE, seed) for seed in (1, 1, 2))
    data[7]
    assert torch.equal(data[3]["hr"], again[3]["hr"]) and data[3]["name"] == again[3]["name"]
    assert not torch.equal(data[3]["hr"], other[3]["hr"])
    assert data[3]["hr"].shape == (1, 4096) and AudioFolder(files, 9, 4096, RATE, 0, channels=2)[0]["hr"].shape == (
        2,
        4096,
    )


def test_short_files_are_padded_and_silence_is_rejected(tmp_path: Path) -> None:
    for name, audio in (("a", torch.rand(1, 1000)), ("b", torch.rand(1, 1000))):
        write_audio(tmp_path / f"{name}.wav", audio, RATE)
    files = split_folder(tmp_path, 0.1).train
    crop = AudioFolder(files, 9, 4096, RATE, 0)[0]["hr"]
    assert crop[0, :1000].abs().sum() > 0 and crop[0, 1000:].abs().sum() == 0
    half = torch.cat([torch.zeros(1, 400_000), torch.rand(1, 100_000)], dim=1)
    write_audio(tmp_path / "half/h.wav", half, RATE)
    write_audio(tmp_path / "half/i.wav", half, RATE)
    crops = AudioFolder(split_folder(tmp_path / "half", 0.1).train, 30, 4096, RATE, 0)
    assert all(crops[i]["hr"].square().mean() > 1e-8 for i in range(30))
    write_audio(tmp_path / "silent/a.wav", torch.zeros(1, 9000), RATE)
    write_audio(tmp_path / "silent/b.wav", torch.zeros(1, 9000), RATE)
    with pytest.raises(DataError, match="silent"):
        AudioFolder(split_folder(tmp_path / "silent", 0.1).train, 9, 4096, RATE, 0)[0]


@pytest.mark.parametrize("workers", [0, 2])
def test_epochs_are_fresh_and_workers_change_nothing(folder: Path, workers: int) -> None:
    data = FolderData(str(folder), 0.1, **(CROPS | {"num_workers": workers}))
    loader = data.train_dataloader()
    epochs = []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        epochs.append(torch.cat([batch["hr"] for batch in loader]))
    reference = data.train_dataset()
    assert torch.equal(epochs[0], torch.stack([reference[i]["hr"] for i in range(16)]))
    assert torch.equal(epochs[1], torch.stack([reference[i]["hr"] for i in range(16, 32)]))


def test_ranks_share_an_epoch_without_overlap() -> None:
    samplers = [EpochSampler(22, rank, 3) for rank in range(3)]
    for sampler in samplers:
        sampler.set_epoch(2)
    indices = [list(sampler) for sampler in samplers]
    assert sorted(index for rank in indices for index in rank) == list(range(44, 65)) and all(
        len(s) == 7 for s in indices
    )


def test_synthetic_pool_and_stream_and_the_held_out_sides() -> None:
    pooled = SyntheticData(pool_clips=4, pool_seconds=0.2, **CROPS)
    crops = pooled.train_dataset()
    assert torch.equal(crops[5]["hr"], crops[5]["hr"]) and crops[5]["hr"].shape == (1, 4096)
    streamed = SyntheticData(pool_clips=0, pool_seconds=0.2, **CROPS)
    names = {streamed.train_dataset()[0]["name"], streamed.evaluation_clips(2, 0.1)[0]["name"]}
    names |= {batch["name"][0] for batch in streamed.val_dataloader()}
    assert len(names) == 3


def test_an_epoch_without_a_batch_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="no batch"):
        FolderData(str(folder), 0.1, **(CROPS | {"epoch_size": 3})).train_dataloader()
