from __future__ import annotations

from pathlib import Path

import pytest
import torch
from text_encoder import make_text_encoder

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.backbones.saga import Saga
from saga_sr.conditioning.acoustic import AcousticCondition
from saga_sr.conditioning.conditioner import Conditioner
from saga_sr.conditioning.duration import DurationCondition
from saga_sr.conditioning.rolloff import RolloffCondition
from saga_sr.conditioning.text import TextCondition
from saga_sr.conditioning.types import Conditioning, ConditionRequest, ConditionValues
from saga_sr.core.errors import ConfigError

RATE = 44_100


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Conditioner:
    return whole(make_text_encoder(tmp_path_factory.mktemp("text")))


def whole(text: Path, rate: float = 0.2, dropped_with_text: bool = False, max_tokens: int = 8) -> Conditioner:
    torch.manual_seed(0)
    return Conditioner(
        acoustic=AcousticCondition(dropout=rate, null_value=-5.0),
        text=TextCondition(str(text), 24, max_tokens, dropout=rate),
        duration=DurationCondition(24, 65_536, RATE),
        rolloff=RolloffCondition(24, dropout=rate, dropped_with_text=dropped_with_text),
        cross_attention_dim=24,
        global_dim=96,
    )


def values(batch: int, caption: str = "a dog") -> ConditionValues:
    by_name = {
        "acoustic": None,
        "text": [caption] * batch,
        "duration": torch.tensor([[0.0, 0.003]]).expand(batch, 2),
        "rolloff": torch.tensor([[0.2, 0.9]]).expand(batch, 2),
    }
    return ConditionValues(batch, torch.device("cpu"), by_name)


def request(audio: torch.Tensor, prompt: str, rolloff: float) -> ConditionRequest:
    return ConditionRequest(audio, RATE, torch.full((len(audio),), 4000.0), [prompt] * len(audio), rolloff)


@torch.no_grad()
def test_each_condition_is_dropped_on_its_own_at_its_rate(full: Conditioner) -> None:
    n = 4000
    made = full.train()(torch.ones(n, 2, 3), values(n), torch.Generator().manual_seed(0))
    no_acoustic = (made.concat == -5).all(dim=(1, 2))
    no_text = ~made.cross_attention[:, :8].any(dim=(1, 2))
    no_rolloff = ~made.cross_attention[:, 10:].any(dim=(1, 2))
    assert torch.equal(no_rolloff, ~made.global_[:, 48:].any(dim=1))  # both ways together
    for dropped in (no_acoustic, no_text, no_rolloff):
        assert float(dropped.float().mean()) == pytest.approx(0.2, abs=0.03)
    for pair in ((no_acoustic, no_text), (no_text, no_rolloff), (no_acoustic, no_rolloff)):
        assert float((pair[0] & pair[1]).float().mean()) == pytest.approx(0.04, abs=0.015)
    # Duration stays in every example.
    assert made.cross_attention[:, 8:10].any(dim=(1, 2)).all() and made.global_[:, :48].any(dim=1).all()


@torch.no_grad()
def test_the_official_way_drops_all_tokens_with_the_text_and_keeps_what_is_beside_the_time(tmp_path: Path) -> None:
    conditioner = whole(make_text_encoder(tmp_path / "text"), dropped_with_text=True).train()
    made = conditioner(torch.ones(500, 2, 3), values(500), torch.Generator().manual_seed(0))
    no_text = ~made.cross_attention[:, :8].any(dim=(1, 2))
    assert 50 < int(no_text.sum()) < 160
    assert torch.equal(no_text, ~made.cross_attention[:, 10:].any(dim=(1, 2)))
    assert made.global_[:, 48:].any(dim=1).all()


@torch.no_grad()
def test_nothing_is_dropped_or_disturbed_outside_training(full: Conditioner) -> None:
    z = torch.randn(50, 2, 3)
    made = full.eval()(z, values(50))
    assert torch.equal(made.concat, z) and made.cross_attention[:, :4].any(dim=2).all()


def test_training_goes_through_few_of_the_zeros_of_captions_and_learns_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = whole(make_text_encoder(tmp_path), max_tokens=100).train()
    backbone = Saga(3, 3, 24, 1, 2, cross_attention_dim=24, global_dim=96)
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    z, t = torch.randn(6, 3, 5), torch.rand(6)
    lengths, gradients = [], []
    for _ in range(2):
        conditioning = made(z, values(6), torch.Generator().manual_seed(0))
        backbone.zero_grad()
        made.zero_grad()
        backbone(z, t, conditioning).value.square().sum().backward()
        lengths.append(conditioning.cross_attention.shape[1])
        parameters = (*backbone.parameters(), *made.parameters())
        gradients.append([parameter.grad.clone() for parameter in parameters if parameter.grad is not None])
        monkeypatch.setattr(Conditioning, "merge_zero_tokens", lambda self, multiple: self)
    assert lengths == [32, 104] and len(gradients[0]) == len(gradients[1])
    for merged, all_of_them in zip(*gradients, strict=True):
        assert torch.allclose(merged, all_of_them, rtol=1e-3, atol=1e-4 * float(all_of_them.abs().max()))


def test_noise_is_added_to_z_lr_in_training() -> None:
    conditioner = Conditioner(acoustic=AcousticCondition(dropout=0.0, noise=0.05)).train()
    noisy = conditioner(torch.zeros(50, 20, 20), values(50, ""), torch.Generator().manual_seed(0)).concat
    assert float(noisy.std()) == pytest.approx(0.05, rel=0.05)


def test_a_seed_means_the_same_draws(full: Conditioner) -> None:
    z = torch.randn(8, 2, 3)
    first, again = (full.train()(z, values(8), torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.concat, again.concat) and torch.equal(first.cross_attention, again.cross_attention)


def test_full_band_is_what_training_heard(full: Conditioner) -> None:
    torch.manual_seed(0)
    noise = torch.randn(1, 1, 20_000)
    clips = [degrade(noise, [LowPassFilter("elliptic", 10, hz)], RATE) for hz in torch.linspace(1000, 16_000, 41)]
    assert len(list(full.fit(iter(clips), RATE))) == 41
    # 95 % of the clips lie below 15,250 Hz, and 98.5 % of white noise lies below 98.5 % of its band.
    assert float(full.rolloff.full_band) == pytest.approx(0.985 * 15_250 / 22_050, abs=0.01)
    asked = full.request(request(clips[0], "a dog", 0.5)).by_name["rolloff"]
    assert float(asked[0, 1]) == pytest.approx(0.5 * float(full.rolloff.full_band))
    assert float(asked[0, 0]) == pytest.approx(0.985 * 1000 / 22_050, abs=0.02)


def test_what_a_model_was_not_trained_with_cannot_be_asked_of_it(full: Conditioner) -> None:
    plain, audio = Conditioner(acoustic=AcousticCondition()), torch.randn(1, 1, 5000)
    with pytest.raises(ConfigError, match=r"trained without text and cannot be asked for it; leave it out"):
        plain.request(request(audio, "a dog", 1.0))
    with pytest.raises(ConfigError, match="trained without rolloff"):
        plain.request(request(audio, "", 0.9))
    for wrong in (0.0, 1.1, -1.0, float("nan")):
        with pytest.raises(ConfigError, match="must lie above 0 and at most at 1"):
            full.request(request(audio, "", wrong))


def test_widths_that_differ_from_the_conditions_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"conditioning\.cross_attention_dim=None but the conditions make it 24"):
        Conditioner(acoustic=AcousticCondition(), duration=DurationCondition(24, 65_536, RATE))
    with pytest.raises(ConfigError, match=r"conditioning\.cross_attention_dim=16 but the conditions make it 24"):
        Conditioner(acoustic=AcousticCondition(), rolloff=RolloffCondition(24), cross_attention_dim=16, global_dim=48)
    with pytest.raises(ConfigError, match=r"conditioning\.acoustic\.dropout=1.5 is not a probability"):
        AcousticCondition(dropout=1.5)
