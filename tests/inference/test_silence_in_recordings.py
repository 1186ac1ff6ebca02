"""Silence stays silence, bit for bit: whole files, single channels, and stretches between sounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from conftest import BUNDLED, TINY_SAGA, model_config, tiny_or_bundled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.inference.enhancer import Enhancer

RATE = 44_100
SLOW = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@pytest.fixture(scope="module", params=["jat", "saga", *BUNDLED])
def enhancer(request: pytest.FixtureRequest) -> Enhancer:
    torch.manual_seed(0)
    saga = model_config("conditioning=duration", tiny=TINY_SAGA)
    return Enhancer(tiny_or_bundled(request.param, saga if request.param == "saga" else model_config()))


def sound(channels: int, length: int, rate: int) -> torch.Tensor:
    noise = 0.1 * torch.randn(1, channels, length, generator=torch.Generator().manual_seed(length))
    return degrade(noise, [LowPassFilter("chebyshev1", 8, 3000)], rate)[0]


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
@pytest.mark.parametrize(("rate", "channels", "length"), [(RATE, 2, 50_001), (16_000, 1, 1), (96_000, 3, 7000)])
def test_a_silent_file_gives_a_silent_file_of_its_length_with_a_note(
    enhancer: Enhancer, tmp_path: Path, suffix: str, rate: int, channels: int, length: int
) -> None:
    soundfile.write(tmp_path / "n.wav", np.zeros((length, channels)), rate)
    done = enhancer.file(tmp_path / "n.wav", tmp_path / f"out.{suffix}")
    output, _ = soundfile.read(tmp_path / f"out.{suffix}", always_2d=True)
    assert output.shape == (-(-length * RATE // rate), channels) and not output.any()
    assert not done.restored
    assert done.notes == (f"{tmp_path}/n.wav is silent, and so is {tmp_path}/out.{suffix}.",)


@pytest.mark.parametrize("way", [{}, {"cutoff_hz": 3000}, {"cutoff_hz": 3000, "low_band": "off"}])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "uint8"])
def test_a_silent_array_comes_back(enhancer: Enhancer, dtype: str, way: dict) -> None:
    audio = np.full((2, 9000), 128 if dtype == "uint8" else 0, dtype=dtype)
    assert np.array_equal(enhancer(audio, RATE, **way)[0], audio)
    assert np.array_equal(np.concatenate(list(enhancer.stream([audio], RATE, **way)), axis=1), audio)


@pytest.mark.parametrize("way", [{}, {"cutoff_hz": 3000}])
def test_recordings_of_any_amplitude_that_floats_hold_give_results_of_it(enhancer: Enhancer, way: dict) -> None:
    audio = sound(2, 9000, RATE)
    for amplitude in (1e-44, 1e-38, 1e-30, 1e-22, 1e-15, 1e10, 1e14):
        output = enhancer((audio.double() * amplitude).float(), RATE, **way)[0]
        assert output.isfinite().all() and output.abs().max() < 10 * amplitude


@settings(max_examples=6, **SLOW)
@given(
    rate=st.sampled_from([8000, 16_000, RATE, 96_000]),
    begin=st.floats(0, 0.6),
    seconds=st.floats(0.1, 0.6),
    way=st.fixed_dictionaries(
        {
            "chunk_s": st.sampled_from([0.4, 10.0]),
            "overlap_s": st.just(0.1),
            "low_band": st.sampled_from(["crossfade", "hard", "off"]),
        }
    ),
)
def test_silent_stretches_and_channels_get_no_noise(
    enhancer: Enhancer, rate: int, begin: float, seconds: float, way: dict
) -> None:
    audio = sound(3, rate, rate)
    first, last = int(begin * rate), int((begin + seconds) * rate)
    audio[0, first:last] = 0
    audio[2] = 0
    output = enhancer(audio, rate, cutoff_hz=3000, **way)[0]
    # A change of rate rings for 68 samples of the lower rate.
    beside = int((0.01 + 68 / min(rate, RATE)) * RATE) + 1
    silent = output[0, int(first / rate * RATE) + beside : int(last / rate * RATE) - beside]
    assert not silent.any() and not output[2].any()
    assert output[0].any() and output[1].all()
    assert not torch.signbit(output[2]).any()


def test_a_silent_stretch_of_a_file_or_stream_gets_no_noise(enhancer: Enhancer, tmp_path: Path) -> None:
    audio = sound(2, 2 * RATE, RATE)
    audio[:, RATE // 2 : RATE] = 0
    inner = slice(RATE // 2 + 450, RATE - 450)
    soundfile.write(tmp_path / "in.wav", audio.T.numpy(), RATE, subtype="FLOAT")
    ways = {"cutoff_hz": 3000, "chunk_s": 0.7, "overlap_s": 0.1}
    enhancer.file(tmp_path / "in.wav", tmp_path / "out.wav", **ways)
    output = soundfile.read(tmp_path / "out.wav")[0].T
    stream = np.concatenate(list(enhancer.stream(np.array_split(audio.numpy(), 9, axis=1), RATE, **ways)), axis=1)
    for result in (output, stream):
        assert result.shape == audio.shape and not result[:, inner].any() and result[:, : RATE // 2].all()
