from __future__ import annotations

import math

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from programs import ROOT
from torch import Tensor

from saga_sr.flow.objective import Estimate
from saga_sr.losses.latent_perceptual import Consistency, LatentPerceptual, LinearFrequency, LogFrequency, MultiScale

FRAMES = 100


def estimate(data: Tensor, target: Tensor, z_lr: Tensor | None = None) -> Estimate:
    return Estimate(data, target, data, target, target if z_lr is None else z_lr)


def wave(share: float, phase: float = 0.0, frames: int = FRAMES) -> Tensor:
    """A latent that swings at `share` of its frame rate."""
    return torch.cos(2 * math.pi * share * torch.arange(frames) + phase).expand(1, 2, -1)


def latent(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("term", [LogFrequency(), LinearFrequency(), MultiScale(), Consistency()])
def test_a_perfect_estimate_costs_nothing(term: torch.nn.Module) -> None:
    z = latent(2, 3, FRAMES)
    assert float(term(estimate(z, z))) == pytest.approx(0, abs=1e-5)
    assert float(term(estimate(z + 0.3 * latent(2, 3, FRAMES, seed=1), z))) > 0.01


def test_consistency_sees_the_low_band_fully_the_transition_partly_and_nothing_above() -> None:
    z_lr = latent(1, 2, FRAMES)
    costs = {share: float(Consistency()(estimate(z_lr + wave(share), z_lr, z_lr))) for share in (0.2, 0.33, 0.45)}
    # A wave of amplitude 1 is FRAMES / 2 in one of the 37 bins up to 0.36 Fs.
    assert costs[0.2] == pytest.approx(FRAMES / 2 / 37, rel=1e-3)
    assert 0.01 < costs[0.33] < 0.5 * costs[0.2] and costs[0.45] == pytest.approx(0, abs=1e-4)
    # In the transition only magnitudes count, half as much in its middle.
    nothing = torch.zeros(1, 2, FRAMES)
    alone = Consistency()(estimate(wave(0.33), nothing, nothing))
    assert float(alone) == pytest.approx(0.5 * FRAMES / 2 / 37, rel=1e-3)
    turned = Consistency()(estimate(wave(0.33, 1.0), wave(0.33), wave(0.33)))
    assert float(turned) == pytest.approx(0, abs=1e-4)


def test_a_low_band_equal_to_the_input_is_consistent_whatever_is_above_it() -> None:
    z_lr = latent(2, 3, FRAMES)
    above = wave(0.4) + wave(0.48, 0.3)
    assert float(Consistency()(estimate(z_lr + above[:, :1], z_lr, z_lr))) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("share", "seen_by_mod2"), [(0.1, True), (0.3, False), (0.45, False)])
def test_phase_errors_above_the_lowest_bins_are_seen_by_mod1_alone(share: float, seen_by_mod2: bool) -> None:
    # A spectrum without gaps, one of whose bins is turned.
    whole = torch.fft.rfft(latent(1, 2, FRAMES))
    turned = whole.clone()
    turned[..., round(share * FRAMES)] *= torch.polar(torch.tensor(1.0), torch.tensor(1.5))
    pair = estimate(torch.fft.irfft(turned, FRAMES), torch.fft.irfft(whole, FRAMES))
    assert float(LinearFrequency()(pair)) > 1e-4
    assert (float(LogFrequency()(pair)) > 1e-3) == seen_by_mod2


def test_mod1_counts_the_upper_half_twice_and_mod2_all_alike() -> None:
    whole = torch.fft.rfft(latent(1, 2, FRAMES))

    def cost(term: torch.nn.Module, share: float) -> float:
        louder = whole.clone()
        bin_ = round(share * FRAMES)
        louder[..., bin_] *= (louder[..., bin_].abs() + 1) / louder[..., bin_].abs()
        return float(term(estimate(torch.fft.irfft(louder, FRAMES), torch.fft.irfft(whole, FRAMES))))

    assert cost(LinearFrequency(), 0.4) == pytest.approx(2 * cost(LinearFrequency(), 0.2), rel=0.02)
    doubled = [whole.clone() for _ in range(2)]
    for spectrum, bin_ in zip(doubled, (20, 40), strict=True):
        spectrum[..., bin_] *= 2
    costs = [
        float(LogFrequency()(estimate(torch.fft.irfft(s, FRAMES), torch.fft.irfft(whole, FRAMES)))) for s in doubled
    ]
    assert costs[0] == pytest.approx(costs[1], rel=1e-3) == pytest.approx(math.log(2) / 51, rel=1e-2)


def test_scales_see_slow_errors_thrice_and_fast_ones_once() -> None:
    z = torch.zeros(1, 2, FRAMES)
    assert float(MultiScale()(estimate(z + 1, z))) == pytest.approx(1)
    alternating = (-1.0) ** torch.arange(FRAMES)
    assert float(MultiScale()(estimate(z + alternating, z))) == pytest.approx(1 / 3)


@pytest.mark.parametrize("frames", [1, 2, 7, 129, 517])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_any_length_and_bfloat16_give_finite_gradients(frames: int, dtype: torch.dtype) -> None:
    loss = build("mod2"), build("mod1")
    data = latent(2, 3, frames).to(dtype).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        total = sum(sum(each(estimate(data, latent(2, 3, frames, seed=1).to(dtype))).values()) for each in loss)
    total.backward()
    assert data.grad.isfinite().all() and data.grad.any()


def build(name: str) -> LatentPerceptual:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return instantiate(compose("train", [f"loss={name}"]).loss)


def test_the_configured_sums_are_those_of_the_source() -> None:
    pair = estimate(latent(2, 3, FRAMES), latent(2, 3, FRAMES, seed=1), latent(2, 3, FRAMES, seed=2))
    mse = float((pair.data - pair.target_data).square().mean())
    freq, linear, scales, consistent = (
        float(term(pair)) for term in (LogFrequency(), LinearFrequency(), MultiScale(), Consistency())
    )
    mod2, mod1 = build("mod2")(pair), build("mod1")(pair)
    assert list(mod2) == ["mse", "freq", "multi_scale", "consistency"] and list(mod1) == ["mse", "freq", "multi_scale"]
    assert float(sum(mod2.values())) == pytest.approx(mse + 0.3 * (0.5 * freq + 0.5 * scales + 0.1 * consistent))
    assert float(sum(mod1.values())) == pytest.approx(mse + 0.3 * (0.5 * linear + 0.5 * scales))
