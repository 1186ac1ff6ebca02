"""Why an earlier implementation of SAGA-SR stalled (loss near 1.2, LSD near 30): each cause, to keep it away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from conftest import TINY_SAGA, awake, model_config
from text_encoder import make_text_encoder

from saga_sr.audio.reference_frame import reference_gain
from saga_sr.conditioning.types import ConditionValues
from saga_sr.core.errors import ConfigError, PackageError
from saga_sr.flow.guidance import Branch, Nested, Parallel
from saga_sr.flow.objective import FlowMatching
from saga_sr.model import SuperResolver
from saga_sr.packages.package import build, load_package, save_package
from saga_sr.synthesis.dataset import SyntheticAudio
from saga_sr.weights.conventions import enter, leave


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict:
    text = make_text_encoder(tmp_path_factory.mktemp("text"))
    return model_config("conditioning=text_rolloff", f"text_encoder={text}", "guidance=parallel", tiny=TINY_SAGA)


@pytest.fixture(scope="module")
def model(config: dict) -> SuperResolver:
    return awake(build(config))


def values(*targets: float) -> ConditionValues:
    by_name = {
        "acoustic": None,
        "text": ["a dog"] * len(targets),
        "duration": torch.tensor([[0.0, 0.003]] * len(targets)),
        "rolloff": torch.tensor([[0.2, target] for target in targets]),
    }
    return ConditionValues(len(targets), torch.device("cpu"), by_name)


def test_the_time_convention_of_loaded_weights_is_not_reversed() -> None:
    """A perfect rectified-flow network for data at one point: no loss when converted, a large one when taken raw."""
    data = 2.0 * torch.ones(4000, 1, 1)
    example = FlowMatching(time="uniform").corrupt(data, torch.Generator().manual_seed(0))

    def network(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return (z - data) / t[:, None, None].clamp(min=1e-3)  # noise - data, seen from (z, t') with t' = 1 noise

    target = example.z_hr - example.z_0
    z, t = enter(example.z_t, example.t, "rectified_flow")
    converted = leave(network(z, t), example.z_t, example.t, "rectified_flow")
    assert float((converted - target).square().mean()) < 1e-2
    for raw in (network(example.z_t, example.t), -network(example.z_t, example.t), network(z, t)):
        assert float((raw - target).square().median()) > 1


def test_latents_are_scaled_before_they_are_mixed_with_noise(config: dict) -> None:
    model = build(config)
    clips = SyntheticAudio(12, 30_000, seed=3)
    audio = torch.stack([clips[i]["hr"] for i in range(12)])
    model.codec.latent_scale.fill_(100.0)
    model.fit_statistics(iter(audio.split(4)))
    audio = reference_gain(audio, model.sample_rate) * audio  # as it is shown to the network
    latent = model.codec.encode(audio)
    assert float(latent.std()) == pytest.approx(1, abs=0.02) and float(latent.mean()) == pytest.approx(0, abs=0.02)
    assert torch.allclose(model.codec.decode(latent, 30_000), audio, atol=1e-4)


@torch.no_grad()
def test_the_rolloff_goes_both_ways_in_and_no_other(model: SuperResolver) -> None:
    dark, bright = (model.conditioner.describe(values(target)) for target in (0.3, 0.9))
    tokens = (dark.cross_attention != bright.cross_attention).any(dim=2)[0].nonzero().flatten().tolist()
    columns = (dark.global_ != bright.global_).any(dim=0).nonzero().flatten()
    width = model.conditioner.conditions["rolloff"].dims.tokens
    assert tokens == [128 + 1]  # after the text, the second of its two
    assert int(columns.min()) >= 3 * width and len(columns) > width // 2  # after start, total and input
    # Each way has an effect of its own.
    z_lr = torch.randn(1, 64, 9, generator=torch.Generator().manual_seed(0))
    z, t = torch.randn(1, 64, 9, generator=torch.Generator().manual_seed(1)), torch.tensor([0.5])

    def velocity(**parts: torch.Tensor) -> torch.Tensor:
        return model.backbone(z, t, replace(dark, concat=z_lr, **parts)).value

    plain = velocity()
    assert (velocity(cross_attention=bright.cross_attention) - plain).abs().max() > 1e-5
    assert (velocity(global_=bright.global_) - plain).abs().max() > 1e-5


@torch.no_grad()
def test_the_unconditional_branch_does_not_see_the_rolloff(
    model: SuperResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "guidance", Parallel())
    branched = model.branch_conditioning(values(0.3, 0.9))
    branches = list(branched.weights)
    nothing = branches.index(Branch({"acoustic", "rolloff", "text"}))
    rows = slice(2 * nothing, 2 * nothing + 2)
    conditioning = branched.conditioning
    assert torch.allclose(conditioning.global_[rows][0], conditioning.global_[rows][1], atol=1e-6)
    assert not conditioning.global_[rows, 2 * 16 :].any()
    assert torch.allclose(*conditioning.keys_values[0][rows], atol=1e-6)
    acoustic = branches.index(Branch({"text"}))
    assert not torch.allclose(conditioning.global_[2 * acoustic], conditioning.global_[2 * acoustic + 1], atol=1e-3)
    # And what is beside the time stays in every branch of the nested way.
    monkeypatch.setattr(model, "guidance", Nested())
    assert model.branch_conditioning(values(0.9)).conditioning.global_.unique(dim=0).shape[0] == 1


def test_widths_cannot_differ_between_training_and_inference(
    config: dict, model: SuperResolver, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="conditioning gives cross_attention_dim=16 but Saga reads 32"):
        build(config | {"backbone": config["backbone"] | {"cross_attention_dim": 32, "cross_attention_width": 32}})
    folder = save_package(model, config, tmp_path / "model", "# A card\n")
    written = yaml.safe_load((folder / "config.yaml").read_text())
    for part in ("text", "rolloff", "duration"):
        written["model"]["conditioner"][part]["width"] = 32
    written["model"]["conditioner"] |= {"cross_attention_dim": 32, "global_dim": 128}
    written["model"]["backbone"] |= {"cross_attention_dim": 32, "cross_attention_width": 32, "global_dim": 128}
    (folder / "config.yaml").write_text(yaml.safe_dump(written))
    with pytest.raises(PackageError, match="does not fit"):
        load_package(folder)
