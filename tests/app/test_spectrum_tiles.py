"""Columns of spectrograms that the server makes are those that browsers make of the sound; files stay open for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from saga_sr.app import open_recordings
from saga_sr.app.open_recordings import OpenRecordings
from saga_sr.app.spectrum_tiles import columns
from saga_sr.app.workspace import Entry
from saga_sr.files.reading import AudioReader

LEVEL = 6
HOP = 256 * 2**LEVEL


def made(audio: Tensor, rate: int, first: int, end: int) -> np.ndarray:
    """Decibels [column, row] of `audio` [channel, time]."""
    found = columns(lambda begin, length: audio[:, begin : begin + length], rate, audio.shape[1], LEVEL, first, end)
    return np.frombuffer(found, np.uint8).reshape(-1, 512) / 2 - 127.5


def test_columns_are_those_of_a_reference() -> None:
    """The same as `test_spectra_are_those_of_a_reference` asks of the browser's, at the places where it takes them."""
    audio = 0.1 * np.random.default_rng(0).standard_normal((2, 3 * HOP)).astype(np.float32)
    starts = [round((1 + (frame + 0.5) / 4) * HOP) - 1024 for frame in range(4)]
    frames = np.stack([audio[:, start : start + 2048] for start in starts], axis=1)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
    power = (np.abs(np.fft.rfft(frames * window)) ** 2).mean(axis=(0, 1)) / (window.sum() / 2) ** 2
    expected = 10 * np.log10(power[:1024].reshape(512, 2).max(axis=1))
    np.testing.assert_allclose(made(torch.from_numpy(audio), 44_100, 1, 2)[0], expected, atol=0.26)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 96_000])
def test_a_tone_is_at_its_frequency_whatever_the_rate(rate: int) -> None:
    audio = 0.1 * torch.sin(2 * torch.pi * 5000 * torch.arange(rate * 4).double() / rate)[None].float()
    found = made(audio, rate, 0, 9)
    assert found.shape == (9, 512)
    for column in found:
        assert abs((column.argmax() + 0.5) / 512 * 22_050 - 5000) < 50
        assert -22 < column.max() < -19.5 and column[400:].max() < -80
    beyond = made(audio, rate, 20, 21)
    assert beyond.max() == -127.5


def test_files_stay_open_until_others_are_or_they_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, closed = [], []

    class Reader(AudioReader):
        def __init__(self, path: Path, **more: bool) -> None:
            super().__init__(path, **more)
            opened.append(path.name)
            self._stack.callback(closed.append, path.name)

    monkeypatch.setattr(open_recordings, "AudioReader", Reader)
    monkeypatch.setattr(open_recordings, "KEPT", 2)
    entries = {}
    for name in "abc":
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(100), 8000)
        entries[name] = Entry(name, f"{name}.wav", tmp_path / f"{name}.wav", tmp_path)
    there = {"a", "b", "c"}
    files = OpenRecordings(lambda key: key in there)
    for name in "aabc":
        with files.reading(entries[name], "sound") as reader:
            assert reader.read(0, 50).shape == (1, 50)
    assert (opened, closed) == (["a.wav", "b.wav", "c.wav"], ["a.wav"])
    there.remove("b")
    with files.reading(entries["a"], "sound"):
        pass
    assert opened[3:] == ["a.wav"] and closed == ["a.wav", "b.wav"]
