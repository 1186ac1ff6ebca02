from __future__ import annotations

import pytest
import torch
from scipy import stats

from saga_sr.core.errors import ConfigError
from saga_sr.flow.objective import FlowMatching, NoisyExample
from saga_sr.flow.path import data_from_velocity, interpolate, velocity_from_data
from saga_sr.losses.gaussian_nll import GaussianNLL
from saga_sr.losses.latent_perceptual import LatentPerceptual, MultiScale
from saga_sr.losses.mse import VelocityMSE


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_path_runs_from_noise_at_0_to_data_at_1() -> None:
    noise, z = torch.randn(2, 3, 4, generator=generator()), torch.randn(2, 3, 4, generator=generator(1))
    assert torch.equal(interpolate(noise, z, torch.zeros(2)), noise)
    assert torch.equal(interpolate(noise, z, torch.ones(2)), z)


def test_conversions_agree_with_the_definition_of_velocity() -> None:
    noise, z = torch.randn(5, 3, 4, generator=generator()), torch.randn(5, 3, 4, generator=generator(1))
    t = torch.tensor([0.0, 0.2, 0.5, 0.9, 0.99])
    z_t = interpolate(noise, z, t)
    assert torch.allclose(velocity_from_data(z, z_t, t), z - noise, atol=1e-3)
    assert torch.allclose(data_from_velocity(z - noise, z_t, t), z, atol=1e-5)


@pytest.mark.parametrize("prediction", ["velocity", "data"])
def test_a_perfect_network_has_no_error_and_gives_the_same_velocity(prediction: str) -> None:
    objective = FlowMatching(prediction)
    z = torch.randn(64, 2, 3, generator=generator())
    example = objective.corrupt(z, generator(1))
    output = z if prediction == "data" else z - example.z_0
    estimate = objective.estimate(output, example, torch.zeros_like(z))
    assert torch.allclose(estimate.velocity, estimate.target_velocity, atol=1e-5)
    assert torch.allclose(estimate.data, z, atol=1e-5)
    early = example.t < 0.9
    assert torch.allclose(estimate.target_velocity[early], (z - example.z_0)[early], atol=1e-4)
    assert torch.allclose(
        objective.velocity(output, example.z_t, example.t)[early], (z - example.z_0)[early], atol=1e-4
    )


def test_both_predictions_put_the_same_error_on_velocity() -> None:
    """The same wrong data estimate costs the same, whichever way the network states it."""
    z, noise = torch.randn(8, 2, 3, generator=generator()), torch.randn(8, 2, 3, generator=generator(1))
    t = torch.linspace(0.05, 0.85, 8)
    example = NoisyExample(z, noise, interpolate(noise, z, t), t)
    wrong = z + 0.3
    as_velocity = velocity_from_data(wrong, example.z_t, t)
    errors = [
        (e.velocity - e.target_velocity).square().mean()
        for e in (
            FlowMatching("data").estimate(wrong, example, z),
            FlowMatching("velocity").estimate(as_velocity, example, z),
        )
    ]
    assert errors[0].item() == pytest.approx(errors[1].item(), rel=1e-4)


def test_times_follow_their_distributions() -> None:
    z = torch.zeros(20_000, 1, 1)
    uniform = FlowMatching(time="uniform").corrupt(z, generator()).t.numpy()
    assert stats.kstest(uniform, "uniform").pvalue > 0.001
    t = FlowMatching(time="logit_normal", logit_mean=-0.4, logit_std=1.2).corrupt(z, generator()).t
    assert stats.kstest(torch.logit(t).numpy(), "norm", args=(-0.4, 1.2)).pvalue > 0.001


@pytest.mark.parametrize("settings", [{"prediction": "noise"}, {"time": "beta"}])
def test_unknown_names_are_answered_with_the_valid_ones(settings: dict) -> None:
    with pytest.raises(ConfigError, match="choose one of"):
        FlowMatching(**settings)


@pytest.mark.parametrize("loss", [VelocityMSE(), GaussianNLL(), LatentPerceptual({"m": MultiScale()}, {"m": 1.0})])
def test_what_is_not_known_of_the_target_teaches_nothing(loss: torch.nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    z_hr, z_lr, noise, output, state = (torch.randn(2, 4, 6, generator=generator) for _ in range(5))
    output.requires_grad_()
    variance = state.exp().requires_grad_()
    flow, t = FlowMatching("data"), torch.tensor([0.3, 0.6])
    known = torch.tensor([[True, True, True, False], [True, False, False, False]])[..., None]

    def terms(target: torch.Tensor) -> torch.Tensor:
        example = NoisyExample(target, noise, interpolate(noise, z_hr, t), t)
        return torch.stack([*loss(flow.estimate(output, example, z_lr, variance).within(known)).values()]).sum()

    value = terms(z_hr)
    value.backward()
    gradients = [output.grad] + ([variance.grad] if isinstance(loss, GaussianNLL) else [])
    for gradient in gradients:
        moved = gradient.abs().sum(dim=-1) > 0
        assert torch.equal(moved, known[..., 0])
    assert torch.equal(terms(torch.where(known, z_hr, 7.0)), value)
