"""A generated band is held back before attacks, and nowhere else."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import conv1d, max_pool1d, pad

from saga_sr.audio import pre_echo
from saga_sr.audio.pre_echo import pre_echo_gain
from saga_sr.synthesis.dataset import SyntheticAudio

RATE, REACH = 44_100, 1024
ATTACK = 20_000


def attack(floor_db: float) -> torch.Tensor:
    """A burst that begins at `ATTACK`, over noise that is so much quieter."""
    noise = torch.randn(1, 2 * ATTACK, generator=torch.Generator().manual_seed(0))
    noise[:, :ATTACK] *= 10 ** (floor_db / 20)
    return 0.1 * noise


def test_before_an_attack_the_gain_falls_to_what_the_low_band_promises_and_the_attack_has_all() -> None:
    gain = pre_echo_gain(attack(-40), RATE, REACH)[0]
    before = 20 * torch.log10(gain[ATTACK - 900 : ATTACK - 100])
    assert -48 < float(before.median()) < -39  # M is a maximum
    softer = 20 * torch.log10(pre_echo_gain(attack(-20), RATE, REACH)[0, ATTACK - 900 : ATTACK - 100])
    assert -24 < float(softer.median()) < -11  # 2 x (-20 + 14)
    assert (gain[: ATTACK - REACH - 200] > 0.9).all()
    assert (gain[ATTACK + 100 :] > 0.9).all()


def test_a_decay_a_steady_sound_and_silence_are_left_alone() -> None:
    time = torch.arange(RATE) / RATE
    tones = torch.stack([torch.sin(6.28318 * hz * time) for hz in (60, 440, 3000)])
    assert torch.equal(pre_echo_gain(tones, RATE, REACH)[:, 500:-500], torch.ones(3, RATE - 1000))
    decay = torch.randn(1, RATE, generator=torch.Generator().manual_seed(1)) * torch.exp(-time / 0.05)
    assert (pre_echo_gain(decay, RATE, REACH) > 0.9).float().mean() > 0.99
    assert torch.equal(pre_echo_gain(torch.zeros(2, 3000), RATE, REACH), torch.ones(2, 3000))


def test_a_gain_of_the_recording_changes_nothing() -> None:
    audio = SyntheticAudio(9, RATE, seed=3)[2]["hr"]
    plain = pre_echo_gain(audio, RATE, REACH)
    assert (plain < 0.5).any()
    torch.testing.assert_close(pre_echo_gain(-1e-3 * audio, RATE, REACH), plain, rtol=1e-3, atol=1e-4)


def test_it_depends_on_no_more_than_the_reach() -> None:
    audio = attack(-40)
    first, margin = 5000, 200
    part = pre_echo_gain(audio[:, first:30_000], RATE, REACH)
    whole = pre_echo_gain(audio, RATE, REACH)[:, first:30_000]
    inside = slice(margin, -REACH - margin)
    torch.testing.assert_close(part[:, inside], whole[:, inside], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("length", "reach"), [(1, 1), (63, 5), (4001, 1024), (500, 1024)])
def test_level_and_maximum_are_those_of_a_convolution_and_a_pooling(length: int, reach: int) -> None:
    power = torch.rand(2, length, generator=torch.Generator().manual_seed(4))
    window = torch.linspace(1, 2, 133)
    expected = conv1d(pad(power, (66, 66))[:, None], window[None, None])[:, 0]
    torch.testing.assert_close(pre_echo.smoothed(power, window), expected)
    expected = max_pool1d(pad(power, (0, reach)), reach + 1, 1)
    assert torch.equal(pre_echo.greatest_ahead(power, reach), expected)
