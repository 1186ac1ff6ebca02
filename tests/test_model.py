from __future__ import annotations

import pytest
import torch
from conftest import TINY_SAGA, awake, model_config
from text_encoder import make_text_encoder

from saga_sr.backbones.backbone import Prediction
from saga_sr.conditioning.types import ConditionValues
from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import seeded
from saga_sr.flow.guidance import ClassifierFree, Guidance, Nested, Parallel
from saga_sr.flow.sampler import Sampler
from saga_sr.losses.gaussian_nll import GaussianNLL
from saga_sr.losses.mse import VelocityMSE
from saga_sr.model import SuperResolver
from saga_sr.packages.package import build

RATE = 44_100


def noise_of(seed: int, batch: int, model: SuperResolver):
    return lambda frames: torch.randn(
        batch, model.codec.latent_dim, frames, generator=torch.Generator().manual_seed(seed)
    )


def audio(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def saga(tmp_path_factory: pytest.TempPathFactory) -> SuperResolver:
    text = make_text_encoder(tmp_path_factory.mktemp("text"))
    settings = ["conditioning=text_rolloff", f"text_encoder={text}", "guidance=nested"]
    return awake(build(model_config(*settings, tiny=TINY_SAGA)))


def values_of(captions: list[str]) -> ConditionValues:
    by_name = {
        "acoustic": None,
        "text": captions,
        "duration": torch.tensor([[0.0, 0.003]] * 2),
        "rolloff": torch.tensor([[0.2, 0.7], [0.3, 0.9]]),
    }
    return ConditionValues(2, torch.device("cpu"), by_name)


def one_after_another(
    model: SuperResolver, z: torch.Tensor, t: torch.Tensor, z_lr: torch.Tensor, values: ConditionValues
):
    """The guided velocity by its definition: a forward for each branch, nothing prepared."""
    whole = model.conditioner(z_lr, values)
    total = torch.zeros_like(z)
    for dropped, weight in model.guidance.weights.items():
        total += weight * model.backbone(z, t, whole.drop(dropped)).value
    return total


@pytest.mark.parametrize("guidance", [Nested(), Parallel(), ClassifierFree(2.5), Nested(1.2, 1.2), Nested(1.0, 1.0)])
@torch.no_grad()
def test_guidance_runs_its_branches_as_one_batch_and_follows_the_formula(
    saga: SuperResolver, guidance: Guidance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saga_sr.model.has_fast_bfloat16", lambda kind: False)
    z, t, z_lr = audio(2, 64, 10), torch.tensor([0.2, 0.6]), audio(2, 64, 10, seed=1)
    values = values_of(["a dog", "rain"])
    monkeypatch.setattr(saga, "guidance", guidance)
    calls: list[int] = []
    handle = saga.backbone.register_forward_hook(lambda *args: calls.append(len(args[1][0])))
    guided = saga.velocity(z_lr, saga.branch_conditioning(values))(z, t)
    handle.remove()
    computed = sum(abs(weight) > 1e-9 for weight in guidance.weights.values())
    assert calls == [2 * computed]
    assert torch.allclose(guided, one_after_another(saga, z, t, z_lr, values), atol=1e-5)


@pytest.mark.parametrize("guidance", [Nested(interval=(0.5, 1.0)), Parallel(every=2)])
@torch.no_grad()
def test_a_schedule_runs_the_whole_branch_alone_and_then_all_of_them(
    saga: SuperResolver, guidance: Guidance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saga_sr.model.has_fast_bfloat16", lambda kind: False)
    monkeypatch.setattr(saga, "guidance", guidance)
    z, z_lr = audio(2, 64, 10), audio(2, 64, 10, seed=1)
    values = values_of(["a dog", "rain"])
    velocity = saga.velocity(z_lr, saga.branch_conditioning(values))
    early, late = (torch.full((2,), time) for time in (0.3, 0.6))
    whole = [saga.backbone(z, t, saga.conditioner(z_lr, values)).value for t in (early, late)]
    guided = [one_after_another(saga, z, t, z_lr, values) for t in (early, late)]
    # In the first case the early one goes alone, in the second its difference is kept for the late one.
    kept = [guided[0], whole[1] + guided[0] - whole[0]]
    for t, expected in zip((early, late), kept if guidance.schedule.every == 2 else [whole[0], guided[1]], strict=True):
        assert torch.allclose(velocity(z, t), expected, atol=1e-5)


@torch.no_grad()
def test_without_a_caption_the_branch_without_text_is_not_computed_again(
    saga: SuperResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saga_sr.model.has_fast_bfloat16", lambda kind: False)
    monkeypatch.setattr(saga, "guidance", Nested())
    z, t, z_lr = audio(2, 64, 10), torch.tensor([0.2, 0.6]), audio(2, 64, 10, seed=1)
    for captions, computed in ((["", ""], 2), (["", "rain"], 3)):
        values = values_of(captions)
        branched = saga.branch_conditioning(values)
        assert len(branched.weights) == computed
        guided = saga.velocity(z_lr, branched)(z, t)
        assert torch.allclose(guided, one_after_another(saga, z, t, z_lr, values), atol=1e-5)


@torch.no_grad()
def test_keys_and_values_of_the_text_are_computed_once_for_all_steps_and_chunks(saga: SuperResolver) -> None:
    attention = saga.backbone.blocks[0].cross_attention
    calls: list[int] = []
    handle = attention.to_kv.register_forward_hook(lambda *args: calls.append(1))
    conditioning = saga.prepare_conditioning(audio(1, 1, 9000), torch.tensor([4000.0]), ["a dog"], 0.8)
    for seed in range(3):
        lr = audio(2, 1, 9000, seed=seed)
        saga.restore(lr, conditioning, noise_of(0, 2, saga), torch.full((2,), 4000.0))
    handle.remove()
    assert calls == [1]


@pytest.mark.parametrize("head", ["gaussian", "linear"])
@torch.no_grad()
def test_the_gaussian_solver_takes_the_variance_that_the_head_states(head: str) -> None:
    """An untrained Gaussian head says z ~ N(z_lr, 1): any number of steps adds the noise. Others take Euler's steps."""
    model = build(model_config(f"backbone.head={head}", "objective=x_prediction", "conditioning.acoustic.dropout=0"))
    lr = audio(1, 1, 9000)
    conditioning = model.prepare_conditioning(lr, torch.tensor([4000.0]), [""])
    z_lr, noise = model.codec.encode(lr), audio(1, model.codec.latent_dim, 142) * 10
    for steps in (1, 5):
        end = Sampler("gaussian", steps)(model.velocity(z_lr, conditioning), noise)
        if head == "gaussian":
            assert torch.allclose(end, z_lr + noise, atol=0.05)  # bfloat16
        else:
            assert torch.equal(end, Sampler("euler", steps)(model.velocity(z_lr, conditioning), noise))


@pytest.mark.parametrize("solver", ["gaussian", "euler"])
@torch.no_grad()
def test_restoring_starts_where_training_did(solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An untrained model adds nothing: the Gaussian solver leaves z_lr with its noise, Euler's one step z_lr."""
    monkeypatch.setattr("saga_sr.model.has_fast_bfloat16", lambda kind: False)
    settings = ["objective.prior=low_resolution", "objective.prior_width=0.2", "conditioning.acoustic.dropout=0"]
    model = build(model_config(*settings, f"sampler.solver={solver}", "sampler.steps=1"))
    lr, cutoff_hz = audio(2, 1, 9000), torch.tensor([4000.0, 9000.0])
    pair = model.pair(lr, lr, ["", ""], cutoff_hz)
    below = model.codec.channels_below(cutoff_hz)
    noise = torch.randn(pair.z_lr.shape, generator=torch.Generator().manual_seed(1))
    width = torch.where(below, 0.2, 1.0)
    starts = []
    monkeypatch.setattr(model.objective, "corrupt", lambda z_hr, generators, start: starts.append(start) or z_hr / 0)
    with pytest.raises(AttributeError):
        model.estimate(pair)
    assert torch.allclose(starts[0].at(noise), pair.z_lr + width * noise)
    end = []
    monkeypatch.setattr(model.codec, "decode", lambda z, length: end.append(z) or lr)
    model.restore(lr, model.prepare_conditioning(lr, cutoff_hz, ["", ""]), lambda _: noise, cutoff_hz)
    spread = width * noise if solver == "gaussian" else 0
    z_lr = model.codec.without_rounding(model.codec.encode(lr), cutoff_hz)
    assert torch.allclose(end[0], z_lr + spread, atol=1e-5)


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"backbone\.latent_dim=32 differs from codec\.latent_dim=64"):
        build(model_config("backbone.latent_dim=32", "backbone.head=linear"))
    with pytest.raises(ConfigError, match="crossfade, hard"):
        build(model_config("low_band=soft"))
    with pytest.raises(ConfigError, match=r"gives cross_attention_dim=512 but JaT reads None; .*attends to none"):
        build(model_config("conditioning=rolloff"))


@pytest.mark.parametrize("head", ["linear", "gaussian"])
def test_nothing_is_learned_above_a_references_own_edge(head: str) -> None:
    model = awake(build(model_config(f"backbone.head={head}")))
    made = []

    def keep(module: torch.nn.Module, given: object, prediction: Prediction) -> None:
        prediction.value.retain_grad()
        made.append(prediction.value)

    model.backbone.register_forward_hook(keep)
    hr, lr, edge_hz = audio(2, 1, 4096), audio(2, 1, 4096, seed=1), torch.tensor([RATE / 2, RATE / 4])
    pair = model.pair(hr, lr, ["", ""], torch.tensor([4000.0, 4000.0]), edge_hz)
    loss = (GaussianNLL() if head == "gaussian" else VelocityMSE())(model.estimate(pair, seeded([1, 2])))
    torch.stack([*loss.values()]).sum().backward()
    taught = made[0].grad.abs().sum(dim=-1) > 0
    assert bool(taught[0].all()) and taught[1].tolist() == [True] * 32 + [False] * 32
