from __future__ import annotations

import pytest
import torch
from diffusers.pipelines.stable_audio.modeling_stable_audio import StableAudioNumberConditioner

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.spectrum import rolloff_hz
from saga_sr.conditioning.condition import TrainingPairs
from saga_sr.conditioning.duration import DurationCondition
from saga_sr.conditioning.numbers import NumberEmbedding
from saga_sr.conditioning.rolloff import RolloffCondition
from saga_sr.core.errors import ConfigError


@torch.no_grad()
def test_a_number_is_embedded_as_in_an_independent_implementation() -> None:
    torch.manual_seed(0)
    theirs = StableAudioNumberConditioner(12, min_value=0, max_value=512)
    ours = NumberEmbedding(12)
    embedding = theirs.time_positional_embedding
    ours.frequency.copy_(embedding[0].weights)
    ours.project.load_state_dict(embedding[1].state_dict())
    seconds = [0.0, 3.7, 47.5, 512.0, 700.0]
    assert torch.allclose(ours(torch.tensor(seconds) / 512), theirs(torch.tensor(seconds))[:, 0], atol=1e-5)


def test_the_length_of_a_clip_is_embedded_and_its_begin_is_zero() -> None:
    condition = DurationCondition(8, 65_536, 44_100)
    none = torch.zeros(2, 0)
    tokens, columns = condition(condition.from_training(TrainingPairs(["", ""], 44_100, torch.ones(2), none, none)))
    assert tokens.shape == (2, 2, 8) and torch.equal(columns, tokens.flatten(1))
    embedded = tokens
    assert torch.allclose(embedded[0, 0], condition.start(torch.tensor([0.0]))[0])
    assert torch.allclose(embedded[1, 1], condition.total(torch.tensor([1.486 / 512]))[0], atol=1e-4)


@pytest.mark.parametrize("spectrum", ["magnitude", "power"])
def test_the_rolloff_is_a_share_of_nyquist_measured_on_the_batch(spectrum: str) -> None:
    condition = RolloffCondition(8, spectrum=spectrum)
    noise = torch.randn(2, 1, 40_000, generator=torch.Generator().manual_seed(0))
    audio = degrade(noise, [LowPassFilter("elliptic", 10, hz) for hz in (4000.0, 11_025.0)], 44_100)
    lr, hr = (condition.measure(x, 44_100, torch.zeros(2)) for x in (audio, audio.flip(0)))
    measured, target = condition.from_training(TrainingPairs([""] * 2, 44_100, torch.zeros(2), lr, hr)).T
    assert torch.equal(target, measured.flip(0))
    # White noise up to a cutoff: 98.5 % of it lies below 98.5 % of the cutoff.
    assert torch.allclose(measured, 0.985 * torch.tensor([4000 / 22_050, 0.5]), atol=0.01)
    assert torch.allclose(measured * 22_050, rolloff_hz(audio, 44_100, spectrum=spectrum).float())


def test_input_and_target_are_told_apart() -> None:
    condition = RolloffCondition(8)
    swapped = condition(torch.tensor([[0.2, 0.8], [0.8, 0.2]])).tokens
    assert swapped.shape == (2, 2, 8) and not torch.allclose(swapped[0, 0], swapped[1, 1])


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="choose magnitude or power"):
        RolloffCondition(8, spectrum="energy")
    with pytest.raises(ConfigError, match=r"conditioning\.rolloff\.dropout=2 is not a probability"):
        RolloffCondition(8, dropout=2)
