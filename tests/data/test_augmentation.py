"""Crops at other speeds, and with others beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from saga_sr.core.errors import ConfigError
from saga_sr.data.augmentation import Augmentation
from saga_sr.data.folder import AudioFolder
from saga_sr.files.reading import inspect_audio

RATE, HZ = 16_000, 1000.0


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    time = np.arange(4 * RATE) / RATE
    for number in range(2):
        soundfile.write(tmp_path / f"{number}.wav", 0.3 * np.sin(2 * np.pi * HZ * time), RATE)
    return tmp_path


def crops(folder: Path, augmentation: Augmentation | None, edge_hz: float | None = None) -> AudioFolder:
    files = [inspect_audio(path) for path in sorted(folder.iterdir())]
    edges = None if edge_hz is None else np.full(len(files), edge_hz)
    return AudioFolder(files, 40, 8192, RATE, 0, edges_hz=edges, augmentation=augmentation)


def loudest_hz(audio: torch.Tensor) -> float:
    spectrum = torch.fft.rfft(audio[0] * torch.hann_window(audio.shape[1])).abs()
    return float(spectrum.argmax()) * RATE / audio.shape[1]


def test_speeds_move_tones_and_edges_together(tones: Path) -> None:
    heard = []
    for item in (crops(tones, Augmentation(speed=1.25), 5000.0)[i] for i in range(40)):
        factor = loudest_hz(item["hr"]) / HZ
        assert float(item["edge_hz"]) == pytest.approx(min(5000 * factor, RATE / 2), rel=0.005)
        assert item["hr"].shape == (1, 8192)
        heard.append(round(20 * factor))
    assert set(heard) == set(range(16, 26))


def test_slower_recordings_end_lower_where_no_edge_is_told(tones: Path) -> None:
    items = [crops(tones, Augmentation(speed=1.25))[i] for i in range(20)]
    edges = [float(item["edge_hz"]) for item in items]
    expected = [min(RATE / 2 * loudest_hz(item["hr"]) / HZ, RATE / 2) for item in items]
    assert edges == pytest.approx(expected, rel=0.005)


def test_others_are_put_beside_the_share_that_is_asked_for(tones: Path) -> None:
    plain, mixed = crops(tones, None), crops(tones, Augmentation(mixed=0.5))
    levels = torch.tensor([float((mixed[i]["hr"] - plain[i]["hr"]).square().mean().sqrt()) for i in range(40)])
    assert 10 < int((levels > 1e-4).sum()) < 30
    assert torch.equal(mixed[3]["hr"], mixed[3]["hr"])


def test_nothing_is_changed_unless_asked() -> None:
    assert not Augmentation().changes and Augmentation(speed=1.1).changes and Augmentation(mixed=0.1).changes


@pytest.mark.parametrize("settings", [{"speed": 0.9}, {"speed": 3.0}, {"mixed": 1.5}])
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"data\.augmentation"):
        Augmentation(**settings)
