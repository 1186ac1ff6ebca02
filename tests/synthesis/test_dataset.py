from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from saga_sr.audio.spectrum import bandwidth_hz, stft
from saga_sr.core.errors import ConfigError
from saga_sr.synthesis.dataset import SyntheticAudio
from saga_sr.synthesis.tones import Timbre

RATE = 44_100
CLIPS = [SyntheticAudio(64, 32_768)[i] for i in range(64)]


def test_an_index_means_the_same_clip_in_any_order_and_worker() -> None:
    data = SyntheticAudio(8, 8192, seed=3)
    backwards = [data[i]["hr"] for i in reversed(range(8))][::-1]
    loaded = [batch["hr"][0] for batch in DataLoader(data, num_workers=2)]
    for i in range(8):
        assert torch.equal(data[i]["hr"], backwards[i]) and torch.equal(data[i]["hr"], loaded[i])
    assert not torch.equal(data[0]["hr"], data[1]["hr"])
    assert not torch.equal(data[0]["hr"], SyntheticAudio(8, 8192, seed=4)[0]["hr"])


def test_clips_are_finite_audible_and_unclipped() -> None:
    for item in CLIPS:
        audio = item["hr"]
        assert audio.shape == (1, 32_768) and audio.dtype == torch.float32
        assert bool(audio.isfinite().all()) and 0.003 < float(audio.square().mean().sqrt()) < 0.5
        assert float(audio.abs().max()) <= 1 and item["caption"]


def test_most_clips_fill_the_band() -> None:
    audio = torch.stack([item["hr"] for item in CLIPS])
    assert float((bandwidth_hz(audio, RATE) > 15_000).float().mean()) > 0.7
    level = stft(audio).abs().square()[:, 0]
    loudest = level.amax(dim=-1)
    above_floor = loudest[:, int(9000 / RATE * 2048) : int(12_000 / RATE * 2048)].mean(1) > 30 * level.quantile(
        0.02, dim=-1
    )[:, 800:].mean(1)
    assert float(above_floor.float().mean()) > 0.5


def test_partials_stand_on_multiples_of_the_pitch_and_none_aliases() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        timbre = Timbre(rng, RATE)
        timbre.vibrato, timbre.breath_db, timbre.limit_hz = 0.0, -120.0, 1e5
        f0 = 431.7
        note = timbre.note(rng, timbre.tables(rng, np.array([f0]))[:, 0], f0, 32_768, np.zeros(4096, np.float32))
        power = np.abs(np.fft.rfft(note * np.hanning(32_768))) ** 2
        hz = np.arange(len(power)) * RATE / 32_768
        near = np.abs(hz / f0 - np.round(hz / f0)) * f0 < 25
        band = hz > 300
        assert power[band & ~near].sum() / power[band].sum() < 1e-3


def test_stereo_places_sources_apart_in_one_room() -> None:
    data = SyntheticAudio(16, 16_384, channels=2)
    correlations = [np.corrcoef(data[i]["hr"].numpy())[0, 1] for i in range(16)]
    assert data[0]["hr"].shape == (2, 16_384)
    assert min(correlations) < 0.99 and np.mean(correlations) > 0.3
    assert all(not torch.equal(*data[i]["hr"]) for i in range(16))


@pytest.mark.parametrize("rate", [16_000, 48_000])
@pytest.mark.parametrize("length", [4096, 200_000])
def test_any_length_and_rate(rate: int, length: int) -> None:
    data = SyntheticAudio(6, length, rate)
    assert all(data[i]["hr"].shape == (1, length) and bool(data[i]["hr"].isfinite().all()) for i in range(6))


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(IndexError):
        SyntheticAudio(3, 4096)[3]
    with pytest.raises(ConfigError, match="1 or 2"):
        SyntheticAudio(3, 4096, channels=6)
