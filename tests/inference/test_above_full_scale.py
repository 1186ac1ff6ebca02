"""What exceeds full scale keeps its peaks in floats, and is scaled, limited or clipped, and said so, in fixed point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from conftest import awake, model_config
from programs import program

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.core.errors import ConfigError
from saga_sr.inference.enhancer import Enhancer
from saga_sr.packages.package import build
from saga_sr.synthesis.dataset import SyntheticAudio

RATE, CUTOFF = 44_100, 4000
SETTINGS: dict[str, Any] = {"cutoff_hz": CUTOFF, "chunk_s": 0.5, "overlap_s": 0.1}


@pytest.fixture(scope="module")
def enhancer() -> Enhancer:
    torch.manual_seed(0)
    return Enhancer(awake(build(model_config("codec.latent_dim=128"))))


@pytest.fixture(scope="module")
def audio() -> np.ndarray:
    """[channel, time] that ends at 4 kHz and peaks at 1."""
    sound = torch.stack([SyntheticAudio(9, 40_000)[i]["hr"][0] for i in range(2)])
    sound = degrade(sound[None], [LowPassFilter("chebyshev1", 8, CUTOFF)], RATE)[0]
    return (sound / sound.abs().max()).numpy()


def written(path: Path, audio: np.ndarray, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, audio.T, RATE, subtype=subtype)
    return path


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def test_a_float_wav_keeps_its_peaks_in_a_float_wav(enhancer: Enhancer, audio: np.ndarray, tmp_path: Path) -> None:
    done = enhancer.file(written(tmp_path / "m.wav", 3 * audio), tmp_path / "out.wav", **SETTINGS)
    assert soundfile.info(tmp_path / "out.wav").subtype == "FLOAT" and done.notes == ()
    assert np.array_equal(read(tmp_path / "out.wav"), enhancer(3 * audio, RATE, **SETTINGS)[0])
    assert np.abs(read(tmp_path / "out.wav")).max() > 2.5
    enhancer.file(written(tmp_path / "m24.wav", audio, "PCM_24"), tmp_path / "out24.wav", **SETTINGS)
    assert soundfile.info(tmp_path / "out24.wav").subtype == "PCM_24"


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
def test_fixed_point_is_scaled_unless_it_is_told_otherwise(
    enhancer: Enhancer, audio: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    source, target = written(tmp_path / "m.wav", 3 * audio), tmp_path / f"out.{suffix}"
    exact = enhancer(3 * audio, RATE, **SETTINGS)[0]
    peak = np.abs(exact).max()
    over = rf"by {20 * np.log10(peak):.3g} dB"
    tolerance = 1e-6 if suffix == "flac" else 0.15
    expected = {"scale": exact / peak, "none": exact.clip(-1, 1)}
    for clip, said in (("scale", "all of it is turned down"), ("limit", "are limited"), ("none", "are clipped")):
        caplog.clear()
        done = enhancer.file(source, target, clip=clip, **SETTINGS)
        assert len(done.notes) == 1 and over in done.notes[0] and said in done.notes[0] and str(target) in done.notes[0]
        assert caplog.messages == list(done.notes)
        result = read(target)
        if clip in expected:
            assert np.abs(result - expected[clip])[:, 3000:-3000].max() < tolerance
        assert result.shape == exact.shape or suffix == "mp3"
    plain = enhancer.file(source, tmp_path / f"plain.{suffix}", **SETTINGS)
    assert plain.notes[0].endswith("(clip=scale).")


def test_overshoots_of_restoring_are_handled_the_same_way(
    enhancer: Enhancer, audio: np.ndarray, tmp_path: Path
) -> None:
    source = written(tmp_path / "in.wav", audio, "PCM_24")
    exact = enhancer(read(source), RATE, **SETTINGS)[0]
    peak = np.abs(exact).max()
    assert peak > 1.01
    done = enhancer.file(source, tmp_path / "out.wav", **SETTINGS)
    assert "turned down" in done.notes[0]
    assert np.allclose(read(tmp_path / "out.wav"), exact / peak, atol=2e-7)
    # The level of one that does not exceed full scale is never touched.
    done = enhancer.file(written(tmp_path / "low.wav", audio / 2, "PCM_24"), tmp_path / "out.wav", **SETTINGS)
    assert done.notes == () and np.allclose(read(tmp_path / "out.wav"), exact / 2, atol=1e-3)


def test_a_full_band_at_full_scale_is_copied_bit_for_bit(enhancer: Enhancer, tmp_path: Path) -> None:
    loud = np.random.default_rng(0).uniform(-1, 1, (2, 50_000))
    loud[0, 100], loud[1, 200] = -1, 1
    done = enhancer.file(written(tmp_path / "in.wav", loud, "PCM_24"), tmp_path / "out.flac")
    assert not done.restored and done.notes == ()
    first, second = (soundfile.read(tmp_path / name, dtype="int32")[0] for name in ("in.wav", "out.flac"))
    assert np.array_equal(first, second)


def test_arrays_of_floats_keep_their_peaks_and_those_of_integers_are_scaled_or_limited(
    enhancer: Enhancer, audio: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    exact = enhancer(audio, RATE, **SETTINGS)[0]
    peak = np.abs(exact).max()
    assert peak > 1.01 and caplog.messages == []
    batch = np.round(np.stack([audio / 2, audio]) * 32767).astype(np.int16)
    quiet, loud = enhancer(batch, RATE, **SETTINGS)[0] / 32768
    assert np.abs(loud - exact / peak).max() < 2e-3 and np.abs(quiet - exact / 2).max() < 2e-3
    assert len(caplog.messages) == 1 and "Recording 2 of the batch would exceed full scale" in caplog.text
    limited = enhancer(torch.from_numpy(batch[1]), RATE, clip="limit", **SETTINGS)[0].numpy() / 32768
    far = np.abs(exact).max(axis=0) < 1
    far &= np.convolve(~far, np.ones(2 * 13_000 + 1), "same") == 0
    assert far.any() and np.abs(limited - exact)[:, far].max() < 2e-3
    assert "are limited" in caplog.messages[1]
    with pytest.raises(ConfigError, match="clip='soft' is not known; choose scale, limit or none"):
        enhancer(audio, RATE, clip="soft")


def test_streams_of_integers_are_limited_within_their_delay(
    enhancer: Enhancer, audio: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    whole = np.round(audio * 32767).astype(np.int16)
    results, came, heard = [], 0, 0

    def blocks(size: int):
        nonlocal came
        for start in range(0, whole.shape[1], size):
            came = min(start + size, whole.shape[1])
            yield whole[:, start : start + size]
            assert came - heard <= stream.delay_s * RATE + size or came == whole.shape[1]

    for size in (441, 5000):
        came = heard = 0
        stream, parts = enhancer.stream(blocks(size), RATE, **SETTINGS), []
        for part in stream:
            heard += part.shape[1]
            parts.append(part)
        assert all(part.dtype == np.int16 and part.size for part in parts)
        results.append(np.concatenate(parts, axis=1))
    assert results[0].shape == whole.shape and np.array_equal(*results)
    assert "The stream would exceed full scale" in caplog.text and "are limited" in caplog.text
    floats = np.concatenate(list(enhancer.stream([whole / 32768.0], RATE, **SETTINGS)), axis=1)
    assert np.abs(floats).max() > 1.01


@pytest.mark.slow
def test_the_command_says_it(package: Path, audio: np.ndarray, tmp_path: Path) -> None:
    written(tmp_path / "m.wav", 3 * audio)
    words = ["enhance", "m.wav", f"model={package}", "device=cpu", "cutoff_hz=4000"]
    done = program("-m", "saga_sr", *words, "output=out", cwd=tmp_path)
    assert done.returncode == 0 and "out/m.flac would exceed full scale by" in done.stderr, done.stderr
    assert 0.99 < np.abs(read(tmp_path / "out/m.flac")).max() <= 1
    done = program("-m", "saga_sr", *words, "output=kept.wav", "clip=none", cwd=tmp_path)
    assert done.returncode == 0 and "full scale" not in done.stderr and np.abs(read(tmp_path / "kept.wav")).max() > 2.5
