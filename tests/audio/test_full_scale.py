from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from saga_sr.audio import full_scale
from saga_sr.audio.full_scale import FullScale
from saga_sr.core.errors import AudioError

RATE = 44_100


def signal(peak: float, length: int = 100_000) -> torch.Tensor:
    audio = torch.randn(2, length, generator=torch.Generator().manual_seed(0)).clamp(-3, 3)
    return audio * (peak / audio.abs().max())


def fitted(way: str | None, audio: torch.Tensor, size: int = 7000, folder: Path | None = None) -> torch.Tensor:
    return torch.cat([*FullScale(way, RATE, folder).fit(audio.split(size, dim=1))], dim=1)


@pytest.mark.parametrize("way", [None, "scale", "limit", "none"])
@pytest.mark.parametrize("peak", [0.0, 0.7, 1.0])
def test_what_does_not_exceed_full_scale_stays_bit_for_bit(way: str | None, peak: float) -> None:
    audio = signal(peak)
    handler = FullScale(way, RATE)
    assert torch.equal(torch.cat([*handler.fit(audio.split(3000, dim=1))], dim=1), audio)
    assert handler.peak == pytest.approx(peak) and handler.notes("x.flac") == []


@pytest.mark.parametrize("size", [50, 999, 100_000])
def test_what_exceeds_it_is_scaled_limited_clipped_or_kept(size: int) -> None:
    audio = signal(3.0, 20_000)
    results = {way: fitted(way, audio, size) for way in (None, "scale", "limit", "none")}
    assert all(result.shape == audio.shape for result in results.values())
    assert torch.equal(results[None], audio) and torch.equal(results["none"], audio.clamp(-1, 1))
    assert torch.allclose(3 * results["scale"], audio, atol=1e-6) and results["scale"].abs().max() <= 1
    assert torch.equal(results["limit"], fitted("limit", audio, 512)) and results["limit"].abs().max() <= 1


def test_it_is_said_what_was_done_and_by_how_much() -> None:
    audio = signal(2.0)
    said = {}
    for way in (None, "scale", "limit", "none"):
        handler = FullScale(way, RATE)
        assert [*handler.fit([audio])]
        said[way] = " ".join(handler.notes("x.flac"))
    assert said[None] == ""
    assert said["scale"].startswith("x.flac would exceed full scale by 6.02 dB, so all of it is turned down")
    assert "by 6.02 dB, so 2.27 s of it are limited" in said["limit"]
    count = int((audio.abs() > 1).sum())
    assert f"by 6.02 dB, so {count} samples of it are clipped (clip=none)." in said["none"]


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which files end at 100 kB; what is put aside goes there at once."""
    monkeypatch.setattr(full_scale, "IN_MEMORY", 1000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    yield tmp_path
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_signal_that_waits_for_its_peak_lies_on_disk_and_leaves_nothing(small_disk: Path) -> None:
    audio = signal(2.0, 10_000)
    assert torch.allclose(fitted("scale", audio, folder=small_disk), audio / 2)
    with pytest.raises(AudioError, match=r"no room for the signal .*File too large.* clip=limit"):
        fitted("scale", signal(2.0), folder=small_disk)
    assert fitted("limit", signal(2.0), folder=small_disk).abs().max() <= 1
    assert list(small_disk.iterdir()) == []
    with pytest.raises(AudioError, match="no room"):
        fitted("scale", audio, folder=small_disk / "gone")
