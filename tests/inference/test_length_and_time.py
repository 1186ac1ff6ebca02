"""A result has exactly ceil(n x rate_out / rate_in) samples and no delay, however long the recording is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from conftest import BUNDLED, model_config, tiny_or_bundled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saga_sr.inference.chunks import ChunkPlan, plan_chunks
from saga_sr.inference.enhancer import Enhancer

RATE, EDGE = 44_100, 3500
POINTS = 1 << 16  # of transforms, more than any result has
SLOW = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
WAY: dict[str, Any] = {"cutoff_hz": EDGE, "chunk_s": 0.25, "overlap_s": 0.05, "steps": 1}
rates = st.sampled_from([8000, 11_025, 12_345, 16_000, 22_050, 44_099, RATE, 48_000, 96_000, 192_000])


@pytest.fixture(scope="module", params=["tiny", *BUNDLED])
def enhancer(request: pytest.FixtureRequest) -> Enhancer:
    torch.manual_seed(0)
    return Enhancer(tiny_or_bundled(request.param, model_config()))


@pytest.fixture(scope="module")
def plan(enhancer: Enhancer) -> ChunkPlan:
    return plan_chunks(WAY["chunk_s"], WAY["overlap_s"], RATE, enhancer.model.codec.hop_length)


def all_ways(enhancer: Enhancer, audio: np.ndarray, rate: int, folder: Path, blocks: int) -> dict[str, np.ndarray]:
    """The results of an array, a file and a stream."""
    soundfile.write(folder / "in.wav", audio.T, rate, subtype="FLOAT")
    enhancer.file(folder / "in.wav", folder / "out.wav", **WAY)
    parts = list(enhancer.stream(np.array_split(audio, blocks, axis=1), rate, **WAY))
    return {
        "array": enhancer(audio, rate, **WAY)[0],
        "file": soundfile.read(folder / "out.wav", dtype="float32", always_2d=True)[0].T,
        "stream": np.concatenate(parts, axis=1),
    }


def noise(length: int) -> np.ndarray:
    return np.random.default_rng(length).normal(0, 0.1, (1, length)).astype(np.float32)


@settings(max_examples=16, **SLOW)
@given(rate=rates, join=st.integers(0, 2), beside=st.integers(-2, 2), last=st.booleans(), blocks=st.integers(1, 5))
def test_the_length_is_exact_around_every_join(
    enhancer: Enhancer, plan: ChunkPlan, tmp_path: Path, rate: int, join: int, beside: int, last: bool, blocks: int
) -> None:
    place = join * plan.hop + plan.overlap * last + beside
    length = max(1, round(place * rate / RATE))
    results = all_ways(enhancer, noise(length), rate, tmp_path, min(blocks, length))
    for way, result in results.items():
        assert result.shape == (1, -(-length * RATE // rate)), way
        assert np.isfinite(result).all(), way
    assert np.array_equal(results["array"], results["file"])


@pytest.mark.parametrize("rate", [8000, 16_000, RATE, 48_000, 192_000])
@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("measured", [True, False])
def test_a_single_sample_is_a_recording(
    enhancer: Enhancer, tmp_path: Path, rate: int, length: int, measured: bool
) -> None:
    audio = np.full((2, length), 0.5, dtype=np.float32)
    results = [enhancer(audio, rate)[0]] if measured else all_ways(enhancer, audio, rate, tmp_path, 1).values()
    for result in results:
        assert result.shape == (2, -(-length * RATE // rate)) and np.isfinite(result).all()


def tones(time_s: np.ndarray) -> np.ndarray:
    """Sines of 100 to 3,000 Hz at `time_s`: what any rate makes of the same sound."""
    random = np.random.default_rng(1)
    return sum(0.05 * np.sin(2 * np.pi * hz * time_s + random.uniform(0, 6)) for hz in random.uniform(100, 3000, 20))


def low_band(audio: np.ndarray) -> np.ndarray:
    """Below 3 kHz, at 8 times the rate, so that places are seen between samples."""
    spectrum = np.fft.rfft(audio, POINTS)
    spectrum[3000 * POINTS // RATE :] = 0
    return np.fft.irfft(8 * spectrum, 8 * POINTS)


@settings(max_examples=6, **SLOW)
@given(rate=rates, seconds=st.floats(0.3, 0.9))
def test_the_delay_is_none(enhancer: Enhancer, tmp_path: Path, rate: int, seconds: float) -> None:
    audio = tones(np.arange(int(seconds * rate)) / rate)[None].astype(np.float32)
    for way, result in all_ways(enhancer, audio, rate, tmp_path, 3).items():
        window = np.hanning(result.shape[1])
        expected = low_band(window * tones(np.arange(result.shape[1]) / RATE))
        found = low_band(window * result[0])
        correlation = np.fft.irfft(np.fft.rfft(found) * np.fft.rfft(expected).conj())
        assert correlation.argmax() == 0, way
        # A hundredth of a sample would be -47 dB at 3 kHz.
        assert np.linalg.norm(found - expected) < 1e-3 * np.linalg.norm(expected), way


@settings(max_examples=6, **SLOW)
@given(rate=rates, place=st.floats(0.02, 0.98), data=st.data())
def test_an_impulse_stays_in_its_place(
    enhancer: Enhancer, plan: ChunkPlan, tmp_path: Path, rate: int, place: float, data: st.DataObject
) -> None:
    seconds = (2 * plan.hop + plan.chunk) / RATE
    at_join = data.draw(st.sampled_from([None, plan.hop, plan.chunk, 2 * plan.hop]))
    time_s = place * seconds if at_join is None else at_join / RATE
    sample = round(time_s * rate)
    audio = np.zeros((1, int(seconds * rate)), dtype=np.float32)
    audio[0, sample] = 0.9
    for way, result in all_ways(enhancer, audio, rate, tmp_path, 4).items():
        found = np.abs(low_band(result[0])).argmax() / 8
        assert found == pytest.approx(sample / rate * RATE, abs=0.1), way
