from __future__ import annotations

import pytest
import torch
from conftest import awake, model_config

from saga_sr.audio.spectrum import stft
from saga_sr.errors import ConfigError
from saga_sr.flow.guidance import ClassifierFree
from saga_sr.model import SuperResolver
from saga_sr.package import build

RATE = 44_100


@pytest.fixture(scope="module")
def model() -> SuperResolver:
    return awake(build(model_config()))


def noise_of(seed: int, batch: int, model: SuperResolver):
    return lambda frames: torch.randn(
        batch, model.codec.latent_dim, frames, generator=torch.Generator().manual_seed(seed)
    )


def audio(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(2, 1, 20_000), (1, 2, 10_001), (1, 5, 3000)])
def test_shape_is_kept_the_low_band_is_the_inputs_and_the_high_band_is_new(model: SuperResolver, shape: tuple) -> None:
    lr = audio(*shape)
    output = model.enhance(lr, torch.full((shape[0],), 6000.0), noise_of(0, shape[0], model))
    assert output.shape == lr.shape
    low = int(5200 / RATE * 2048)
    change = (stft(output) - stft(lr)).abs().square()
    base = stft(lr).abs().square()
    assert change[..., :low, :].sum() / base[..., :low, :].sum() < 1e-3
    assert change[..., low + 60 :, :].sum() / base[..., low + 60 :, :].sum() > 0.1


def test_equal_channels_stay_equal_and_channels_do_not_mix(model: SuperResolver) -> None:
    mono, cutoff = audio(1, 1, 8000), torch.tensor([5000.0])
    single = model.enhance(mono, cutoff, noise_of(0, 1, model))
    pair = model.enhance(torch.cat([mono, audio(1, 1, 8000, seed=1)], 1), cutoff, noise_of(0, 1, model))
    assert torch.allclose(pair[:, :1], single, atol=1e-4)
    double = model.enhance(mono.expand(-1, 2, -1), cutoff, noise_of(0, 1, model))
    assert torch.equal(double[:, 0], double[:, 1])


def test_examples_of_a_batch_do_not_mix(model: SuperResolver) -> None:
    lr, cutoff = audio(3, 1, 8000), torch.tensor([4000.0, 5000.0, 6000.0])
    noise = torch.randn(3, model.codec.latent_dim, 126, generator=torch.Generator().manual_seed(0))
    together = model.enhance(lr, cutoff, lambda frames: noise[..., :frames])
    for i in range(3):
        alone = model.enhance(lr[i : i + 1], cutoff[i : i + 1], lambda frames, i=i: noise[i : i + 1, :, :frames])
        assert torch.allclose(together[i], alone[0], atol=2e-3)


def test_guidance_runs_its_branches_as_one_batch_and_follows_the_formula() -> None:
    model = awake(build(model_config("guidance=classifier_free")))
    z, t, z_lr = audio(2, 64, 10), torch.tensor([0.2, 0.6]), audio(2, 64, 10, seed=1)
    conditioning = model.conditioner(z_lr)
    calls = []
    model.backbone.register_forward_hook(lambda *args: calls.append(args[1][0].shape[0]))
    model.guidance = ClassifierFree(2.5)
    guided = model.velocity(conditioning)(z, t)
    assert calls == [4]
    model.guidance = ClassifierFree(1.0)
    with_condition = model.velocity(conditioning)(z, t)
    without = model.velocity(conditioning.drop({"acoustic"}))(z, t)
    assert torch.allclose(guided, without + 2.5 * (with_condition - without), atol=2e-2)
    assert calls == [4, 2, 2]


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"backbone\.latent_dim=32 differs from codec\.latent_dim=64"):
        build(model_config("backbone.latent_dim=32", "backbone.head=linear"))
    with pytest.raises(ConfigError, match="crossfade, hard"):
        build(model_config("low_band=soft"))
