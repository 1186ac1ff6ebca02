"""`conditioning=cutoff`: the network knows where the input's content ends."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from conftest import TINY, TINY_SAGA, awake, model_config
from torch import Tensor

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.conditioning import ConditionRequest
from saga_sr.conditioning.condition import TrainingPairs
from saga_sr.conditioning.cutoff import CutoffCondition
from saga_sr.core.errors import ConfigError
from saga_sr.flow.guidance import ClassifierFree
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.settings import EnhanceSettings
from saga_sr.model import SuperResolver
from saga_sr.packages.package import build, load_package, save_package

RATE = 44_100


@pytest.fixture(params=[TINY, TINY_SAGA], ids=["jat", "saga"])
def model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SuperResolver:
    monkeypatch.setattr("saga_sr.model.has_fast_bfloat16", lambda kind: False)
    torch.manual_seed(0)
    return awake(build(model_config("conditioning=cutoff", tiny=request.param)))


def low_passed(cutoff_hz: float) -> Tensor:
    noise = 0.1 * torch.randn(1, 1, 20_000, generator=torch.Generator().manual_seed(0))
    return degrade(noise, [LowPassFilter("elliptic", 10, cutoff_hz)], RATE)


@pytest.mark.parametrize(
    ("scale", "shares"),
    [
        ("linear", [4000 / 22_050, 0.5, 1.0]),
        ("log", [math.log(40) / math.log(220.5), math.log(110.25) / math.log(220.5), 1.0]),
    ],
)
def test_the_value_is_the_true_cutoff_in_training_and_the_given_one_in_use(scale: str, shares: list[float]) -> None:
    condition = CutoffCondition(8, scale)
    cutoffs, none = torch.tensor([4000.0, 11_025.0, 22_050.0]), torch.zeros(3, 0)
    known = condition.from_training(TrainingPairs([""] * 3, RATE, cutoffs, none, none))
    given = condition.from_request(ConditionRequest(torch.zeros(3, 1, 100), RATE, cutoffs, [""] * 3))
    assert known.shape == (3, 1) and known[:, 0].tolist() == pytest.approx(shares, abs=1e-5)
    assert torch.equal(known, given)


def test_an_example_of_training_has_the_cutoff_of_its_low_pass_or_one_that_is_measured(model: SuperResolver) -> None:
    hr, lr = torch.randn(1, 1, 20_000), low_passed(5000)
    condition = model.conditioner.conditions["cutoff"]
    for pair, edge in ((model.pair(hr, lr, [""], torch.tensor([6000.0])), 6000), (model.pair(hr, lr, [""]), 5000)):
        expected = condition._scaled(torch.tensor([float(edge)]), RATE)
        assert torch.allclose(pair.values.by_name["cutoff"], expected, atol=5e-3)


@torch.no_grad()
def test_the_cutoff_changes_what_is_restored_and_guidance_can_go_without_it(
    model: SuperResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    z, t = torch.randn(1, 64, 10, generator=torch.Generator().manual_seed(1)), torch.tensor([0.4])
    z_lr = torch.randn(1, 64, 10, generator=torch.Generator().manual_seed(2))

    def velocity(cutoff_hz: float) -> Tensor:
        conditioning = model.prepare_conditioning(low_passed(4000), torch.tensor([cutoff_hz]), [""])
        return model.velocity(z_lr, conditioning)(z, t)

    low, high = velocity(4000), velocity(8000)
    assert (low - high).abs().max() > 1e-4
    monkeypatch.setattr(model, "guidance", ClassifierFree(0.0, ["cutoff"]))
    without = velocity(4000)
    assert torch.equal(without, velocity(8000)) and (without - low).abs().max() > 1e-4
    monkeypatch.setattr(model, "guidance", ClassifierFree(3.0, ["cutoff"]))
    assert torch.allclose(velocity(4000), without + 3 * (low - without), atol=1e-4)


@torch.no_grad()
def test_it_is_in_the_package(model: SuperResolver, tmp_path: Path) -> None:
    tiny = TINY if type(model.backbone).__name__ == "JaT" else TINY_SAGA
    save_package(model, model_config("conditioning=cutoff", tiny=tiny), tmp_path / "model", "# A card\n")
    again = load_package(tmp_path / "model")
    lr, edge = low_passed(4000), torch.tensor([4000.0])

    def restored(one: SuperResolver) -> Tensor:
        return Enhancer(one, EnhanceSettings()).clips(lr, edge)

    assert torch.equal(restored(model), restored(again))


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="choose log or linear"):
        CutoffCondition(8, "mel")
    with pytest.raises(ConfigError, match=r"conditioning\.cutoff\.dropout=2 is not a probability"):
        CutoffCondition(8, dropout=2)
