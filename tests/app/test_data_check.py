"""Recordings that are looked at before they are trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

from saga_sr.app import data_check
from saga_sr.app.data_check import check_folder
from saga_sr.app.folders import allowed
from saga_sr.core.errors import DataError, UsageError


def write(path: Path, edge_hz: float, rate: int = 44_100, channels: int = 1, seconds: float = 2.0) -> None:
    """Noise up to an edge."""
    noise = np.random.default_rng(len(path.name)).standard_normal((round(seconds * rate), channels))
    low = scipy.signal.sosfiltfilt(scipy.signal.cheby1(12, 0.1, edge_hz, fs=rate, output="sos"), noise, axis=0)
    soundfile.write(path, 0.1 * low, rate)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Three recordings that end at 16 kHz, and one that is none."""
    for number in range(3):
        write(tmp_path / f"{number}.wav", 16_000, channels=1 + number % 2)
    (tmp_path / "broken.mp3").write_bytes(b"ID3 nothing")
    return tmp_path


def within(folder: Path) -> Callable[[Path], object]:
    return lambda path: allowed(path, [folder.resolve()], "read")


def test_hours_rates_channels_bad_files_and_the_end_of_the_data(music: Path) -> None:
    told: list[tuple[int, int]] = []
    report = check_folder(music, within(music), progress=lambda *done: told.append(done))
    assert (report.files, report.opened) == (4, 4)
    assert report.hours == pytest.approx(6 / 3600, rel=0.01)
    assert report.rates == {44_100: 3} and report.channels == {1: 2, 2: 1}
    assert [path.name for path, _ in report.bad] == ["broken.mp3"]
    assert report.ends_hz(22_050) == pytest.approx(16_000, abs=500)
    assert report.histogram()[-1] == (16_000, 3) or sum(count for _, count in report.histogram()[-2:]) == 3
    assert told[-1][1] == 4


def test_data_that_goes_as_far_as_the_model_does_not_end(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / f"{number}.wav", 21_900)
    report = check_folder(tmp_path, within(tmp_path))
    assert report.ends_hz(22_050) is None
    assert report.ends_hz(48_000) is not None


def test_of_many_files_some_are_looked_at_and_the_rest_is_reckoned(
    music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (music / "broken.mp3").unlink()
    monkeypatch.setattr(data_check, "OPENED", 2)
    report = check_folder(music, within(music))
    assert (report.files, report.opened) == (3, 2)
    assert report.hours == pytest.approx(6 / 3600, rel=0.01)
    assert check_folder(music, within(music), within_s=0.0).opened == 0


def test_licences_are_counted_and_what_has_none_is_named(music: Path) -> None:
    table = music / "licences.csv"
    table.write_text("path,license\n0.wav,CC0\n1.wav,CC-BY\n2.wav,\n")
    report = check_folder(music, within(music), table)
    assert report.licences == {"CC0": 1, "CC-BY": 1}
    assert sorted(path.name for path in report.unlicensed) == ["2.wav", "broken.mp3"]
    table.write_text("file,terms\n0.wav,CC0\n")
    with pytest.raises(DataError, match="columns path and license"):
        check_folder(music, within(music), table)


def test_a_link_out_of_the_folder_is_not_followed(music: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write(elsewhere / "secret.wav", 16_000)
    (music / "link.wav").symlink_to(elsewhere / "secret.wav")
    with pytest.raises(UsageError, match="lies in no folder"):
        check_folder(music, within(music))
