from __future__ import annotations

import errno
import resource
import time
from pathlib import Path

import pytest
import torch

from saga_sr.core.errors import AudioError, DiskError
from saga_sr.files.reading import read_audio
from saga_sr.files.writing import AudioWriter, write_audio


def tone(channels: int = 2, n: int = 5000, rate: int = 44_100) -> torch.Tensor:
    t = torch.arange(n) / rate
    return torch.stack([0.5 * torch.sin(2 * torch.pi * 440 * (i + 1) * t) for i in range(channels)])


@pytest.mark.parametrize(("suffix", "tolerance"), [(".wav", 1e-6), (".flac", 1e-6), (".ogg", 0.05), (".mp3", 0.1)])
def test_round_trip(tmp_path: Path, suffix: str, tolerance: float) -> None:
    audio, path = tone(n=44_100), tmp_path / f"new/a{suffix}"
    write_audio(path, audio, 44_100)
    back, rate = read_audio(path)
    assert rate == 44_100 and back.shape[0] == 2
    assert (back[:, 4000:40_000] - audio[:, 4000:40_000]).abs().max() < tolerance


def test_loud_samples_are_clipped_not_wrapped(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", torch.tensor([[2.0, -3.0, 0.5]]), 44_100)
    assert torch.allclose(read_audio(tmp_path / "a.wav")[0], torch.tensor([[1.0, -1.0, 0.5]]), atol=1e-6)


def test_a_wav_of_floats_keeps_its_peaks_and_does_not_depend_on_the_time(tmp_path: Path) -> None:
    audio = 3 * tone(channels=6)
    for name in "ab":
        with AudioWriter(tmp_path / f"{name}.wav", 44_100, 6, depth="float") as writer:
            assert not writer.fixed_point
            writer.write(audio)
        time.sleep(1.01 - time.time() % 1)  # into the next second
    assert torch.equal(read_audio(tmp_path / "a.wav")[0], audio)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    with AudioWriter(tmp_path / "a.mp3", 44_100, 2, depth="float") as writer:
        assert writer.fixed_point


def test_24_bits_are_written_as_they_are(tmp_path: Path) -> None:
    integers = torch.randint(-(2**23), 2**23, (2, 50_000), generator=torch.Generator().manual_seed(0))
    integers[0, :2] = torch.tensor([-(2**23), 2**23 - 1])
    for suffix in (".wav", ".flac"):
        write_audio(tmp_path / f"a{suffix}", integers / 2**23, 44_100)
        assert torch.equal(read_audio(tmp_path / f"a{suffix}")[0] * 2**23, integers)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_audio(path, tone(1), 44_100)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="half-way"), AudioWriter(path, 44_100, 1) as writer:
        writer.write(tone(1))
        raise ValueError("half-way")
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_a_disk_without_room_is_named(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # libsndfile says "System error" only.
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit[1]))
    try:
        with pytest.raises(AudioError, match="File too large") as error:
            write_audio(tmp_path / f"a{suffix}", torch.rand(2, 500_000) - 0.5, 44_100)
        assert not isinstance(error.value, DiskError)
        monkeypatch.setattr("saga_sr.files.writing.NO_PLACE", (errno.EFBIG,))
        with pytest.raises(DiskError, match="File too large"):
            write_audio(tmp_path / f"a{suffix}", torch.rand(2, 500_000) - 0.5, 44_100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not list(tmp_path.iterdir())


def test_names_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    write_audio(tmp_path / ("n" * 251 + ".wav"), tone(1), 44_100)
    with pytest.raises(AudioError, match="name too long"):
        AudioWriter(tmp_path / ("n" * 252 + ".wav"), 44_100, 1)


def test_samples_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    audio = tone()
    audio[0, 7] = float("nan")
    with pytest.raises(AudioError, match="NaN or infinite"):
        write_audio(tmp_path / "a.wav", audio, 44_100)
    assert not list(tmp_path.iterdir())


def test_what_a_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="MP3 does not take 5"):
        write_audio(tmp_path / "a.mp3", tone(5), 44_100)
    with pytest.raises(AudioError, match="suffixes"):
        write_audio(tmp_path / "a.xyz", tone(1), 44_100)
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AudioError, match="cannot be written"):
        write_audio(tmp_path / "file/a.wav", tone(1), 44_100)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_so(tmp_path: Path) -> None:
    with (
        pytest.raises(AudioError, match="cannot be written"),
        AudioWriter(tmp_path / "a.wav", 44_100, 1) as writer,
    ):
        # The file behind the writer becomes a device that is always full.
        writer._encoder._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
        for _ in range(20):
            writer.write(tone(1, 100_000))
    assert not (tmp_path / "a.wav").exists()
