"""NaN and infinity in the input: refused with their place, or zeros for all that is measured and restored."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from programs import program

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.core.errors import AudioError, ConfigError
from saga_sr.inference.enhancer import Enhancer
from saga_sr.packages.load import load_model

RATE = 16_000
SETTINGS: dict[str, Any] = {"chunk_s": 1.0, "overlap_s": 0.2}


@pytest.fixture(scope="module")
def enhancer(package: Path) -> Enhancer:
    return Enhancer(load_model(package))


@pytest.fixture(scope="module")
def audio() -> np.ndarray:
    """[channel, time], 3 s, with silence where `broken` is broken."""
    noise = 0.1 * torch.randn(1, 2, 3 * RATE, generator=torch.Generator().manual_seed(0))
    sound = degrade(noise, [LowPassFilter("chebyshev1", 8, 3000)], RATE)[0].numpy()
    sound[1, RATE : RATE + 100] = 0
    sound[0, -1] = 0
    return sound


@pytest.fixture(scope="module")
def broken(audio: np.ndarray) -> np.ndarray:
    changed = audio.copy()
    changed[1, RATE : RATE + 99], changed[1, RATE + 99], changed[0, -1] = np.nan, -np.inf, np.inf
    return changed


SAID = (
    r"101 samples that are NaN, infinite or beyond 1e15 "
    r"\(the first in channel 2 at 0:00:01.000, sample number 16000\)"
)


def test_it_is_refused_with_its_place_before_anything_is_done(
    enhancer: Enhancer, broken: np.ndarray, tmp_path: Path
) -> None:
    told: list[float] = []
    with pytest.raises(AudioError, match=f"The audio holds {SAID}; .* nan=zero") as caught:
        enhancer(broken, RATE, progress=lambda done, total: told.append(done))
    assert "\n" not in str(caught.value)
    with pytest.raises(AudioError, match=f"Recording 2 of the batch holds {SAID}"):
        enhancer(np.stack([np.zeros_like(broken), broken]), RATE)
    soundfile.write(tmp_path / "in.wav", broken.T, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=f"in.wav holds {SAID}"):
        enhancer.file(tmp_path / "in.wav", tmp_path / "out.wav", progress=lambda done, total: told.append(done))
    assert told == [] and [path.name for path in tmp_path.iterdir()] == ["in.wav"]
    # 100 ms at a time.
    with pytest.raises(
        AudioError, match=r"The stream holds 100 samples .*channel 2 at 0:00:01.000, sample number 16000"
    ):
        list(enhancer.stream(np.split(broken, 30, axis=1), RATE, **SETTINGS))
    with pytest.raises(ConfigError, match="nan='skip' is not known; choose refuse or zero"):
        enhancer(broken, RATE, nan="skip")


def test_zeros_in_its_place_are_what_everything_sees(
    enhancer: Enhancer, audio: np.ndarray, broken: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Levels, edges, resampling: the result is that of the recording with zeros there, bit for bit."""
    expected = enhancer(audio, RATE, **SETTINGS)[0]
    assert np.array_equal(enhancer(broken, RATE, nan="zero", **SETTINGS)[0], expected)
    assert caplog.messages == [caplog.messages[0]] and "The audio holds 101 samples" in caplog.text
    for name, content in (("whole", audio), ("broken", broken)):
        soundfile.write(tmp_path / f"{name}.wav", content.T, RATE, subtype="FLOAT")
        done = enhancer.file(tmp_path / f"{name}.wav", tmp_path / f"{name}.out.wav", nan="zero", **SETTINGS)
        assert len(done.notes) == (name == "broken")
    assert (tmp_path / "whole.out.wav").read_bytes() == (tmp_path / "broken.out.wav").read_bytes()
    caplog.clear()
    streams = [
        np.concatenate(list(enhancer.stream(np.split(x, 30, axis=1), RATE, nan="zero", **SETTINGS)), axis=1)
        for x in (audio, broken)
    ]
    assert np.array_equal(*streams)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 2 and "holds 100 samples" in told[0] and "holds 101 samples" in told[1]


@pytest.mark.slow
def test_the_command_takes_it_too(package: Path, broken: np.ndarray, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "in.wav", broken.T, RATE, subtype="FLOAT")
    words = ["enhance", "in.wav", "out.wav", f"model={package}", "device=cpu"]
    done = program("-m", "saga_sr", *words, cwd=tmp_path)
    assert done.returncode == 1 and "in.wav holds 101 samples" in done.stderr and "Traceback" not in done.stderr
    done = program("-m", "saga_sr", *words, "nan=zero", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "in.wav holds 101 samples" in done.stderr and (tmp_path / "out.wav").is_file()
