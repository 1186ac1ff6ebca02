from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saga_sr.audio.reference_frame import TARGET_RMS, ReferenceFrame, level_context, level_step, reference_gain

RATE = 8000


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def shown(audio: torch.Tensor) -> torch.Tensor:
    frame = ReferenceFrame.of(audio, RATE)
    components = frame.components(audio)
    return components * frame.gain(frame.level(components))


@settings(max_examples=40, deadline=None)
@given(channels=st.integers(1, 4), gain_db=st.floats(-60, 20), sign=st.sampled_from([-1, 1]), seed=st.integers(0, 99))
def test_what_the_network_is_shown_depends_on_neither_gain_nor_sign(
    channels: int, gain_db: float, sign: int, seed: int
) -> None:
    audio = 0.1 * noise(channels, 12_000, seed=seed) * torch.linspace(0.2, 1, channels)[:, None]
    assert torch.allclose(shown(audio), shown(sign * 10 ** (gain_db / 20) * audio), atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(channels=st.integers(2, 4), seed=st.integers(0, 99))
def test_rotated_channels_are_the_same_components(channels: int, seed: int) -> None:
    """Permutations, inverted channels and pans are rotations and reflections, too."""
    audio = 0.1 * noise(channels, 12_000, seed=seed) * torch.linspace(0.3, 1, channels)[:, None]
    rotation = torch.linalg.qr(noise(channels, channels, seed=seed + 1).double())[0].float()
    assert torch.allclose(shown(audio), shown(rotation @ audio), atol=2e-3)


@given(channels=st.integers(1, 6), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_components_and_back(channels: int, seed: int) -> None:
    audio = noise(channels, 3000, seed=seed)
    frame = ReferenceFrame.of(audio, RATE)
    assert torch.allclose(frame.channels(frame.components(audio)), audio, atol=1e-5)


@pytest.mark.parametrize("gains", [(1.0, 0.25), (1.0, -1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)])
def test_one_source_is_one_component_and_comes_back_with_its_pan(gains: tuple[float, float]) -> None:
    audio = torch.outer(torch.tensor(gains), noise(12_000))
    frame = ReferenceFrame.of(audio, RATE)
    assert frame.axes.shape == (1, 2)
    new = frame.channels(noise(1, 500, seed=1))
    assert torch.allclose(new[0] * gains[1], new[1] * gains[0], atol=1e-6)
    assert all(channel.any() == bool(gain) for channel, gain in zip(new, gains, strict=True))


def test_the_level_is_flat_for_steady_sound_follows_a_step_and_knows_no_ends() -> None:
    audio = noise(1, 10 * RATE)
    audio[:, 5 * RATE :] *= 1e-3
    frame = ReferenceFrame.of(audio, RATE)
    level = 20 * frame.level(audio).log10()
    for begin_s, end_s, db in ((0, 4.6, 0), (5.05, 10, -60)):
        assert (level[:, int(begin_s * RATE) : int(end_s * RATE)] - db).abs().max() < 2
    assert level.diff(dim=1).abs().max() < 1  # no step, in dB from one sample to the next
    begin, end = 3 * RATE, 7 * RATE
    first = max(begin - level_context(RATE), 0) // level_step(RATE) * level_step(RATE)
    stretch = frame.level(audio[:, first : end + level_context(RATE)])[:, begin - first : end - first]
    assert torch.allclose(stretch, frame.level(audio)[:, begin:end], rtol=1e-4)


def test_quiet_passages_are_brought_up_and_silence_is_not() -> None:
    audio = torch.cat([noise(1, 4 * RATE), 1e-3 * noise(1, 4 * RATE), torch.zeros(1, 4 * RATE)], dim=1)
    result = shown(audio)
    for begin_s in (1, 5):
        rms = result[:, begin_s * RATE : (begin_s + 2) * RATE].square().mean().sqrt()
        assert float(rms) == pytest.approx(TARGET_RMS, rel=0.05)
    assert not result[:, 8 * RATE :].any()
    assert not shown(torch.zeros(2, RATE)).any()


@pytest.mark.parametrize("length", [1, 2, 399, 400, 401])
def test_any_length(length: int) -> None:
    audio = noise(2, length)
    result = shown(audio)
    assert result.shape[1] == length and result.isfinite().all()


def test_training_shows_clips_as_enhancing_does() -> None:
    audio = 0.03 * noise(3, 1, 2 * RATE)
    levelled = reference_gain(audio, RATE) * audio
    for clip, expected in zip(levelled, audio, strict=True):
        assert torch.allclose(clip.abs(), shown(expected).abs(), atol=1e-5)
