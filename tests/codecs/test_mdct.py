from __future__ import annotations

import numpy as np
import pytest
import torch

from saga_sr.codecs.codec import Codec
from saga_sr.codecs.mdct import MDCT
from saga_sr.core.errors import ConfigError, DataError
from saga_sr.synthesis.dataset import SyntheticAudio


def expand(raw: torch.Tensor, exponent: float) -> torch.Tensor:
    return raw.sign() * raw.abs() ** (1 / exponent)


@pytest.mark.parametrize("length", [1, 511, 512, 44_100, 65_537])
@pytest.mark.parametrize("latent_dim", [64, 512])
def test_perfect_reconstruction(length: int, latent_dim: int) -> None:
    codec, audio = MDCT(latent_dim=latent_dim), 0.5 * torch.randn(2, 1, length)
    latent = codec.encode(audio)
    assert latent.shape == (2, latent_dim, -(-length // latent_dim) + 1)
    assert (codec.decode(latent, length) - audio).abs().max() < 1e-4


def test_coefficients_agree_with_the_definition() -> None:
    n, codec = 16, MDCT(latent_dim=16)
    audio = torch.randn(1, 1, 64, dtype=torch.float64)
    padded = np.concatenate([np.zeros(n), audio[0, 0].numpy(), np.zeros(n)])
    t, k = np.arange(2 * n), np.arange(n)
    window = np.sin(np.pi / (2 * n) * (t + 0.5))
    basis = np.sqrt(2 / n) * np.cos(np.pi / n * (t[None] + 0.5 + n / 2) * (k[:, None] + 0.5))
    expected = np.stack([basis @ (window * padded[i : i + 2 * n]) for i in range(0, 65, n)], 1)
    ours = expand(codec.analyse(audio.float())[0], codec.exponent).numpy()
    assert np.allclose(ours, expected, atol=1e-4)


@pytest.mark.parametrize("latent_dim", [0, 511])
def test_an_odd_number_of_coefficients_is_refused(latent_dim: int) -> None:
    with pytest.raises(ConfigError, match="even"):
        MDCT(latent_dim=latent_dim)


def test_the_transform_keeps_energy() -> None:
    codec, audio = MDCT(), torch.randn(1, 1, 51_200)
    coefficients = expand(codec.analyse(audio), codec.exponent)
    assert coefficients.square().sum() == pytest.approx(float(audio.square().sum()), rel=1e-4)


def test_channels_are_folded_to_mono() -> None:
    codec, audio = MDCT(), torch.randn(1, 3, 5000)
    assert torch.allclose(codec.encode(audio), codec.encode(audio.mean(1, keepdim=True)))


def test_statistics_make_latents_unit_variance_and_are_state() -> None:
    codec = MDCT()
    batches = [torch.stack([SyntheticAudio(99, 22_050)[8 * j + i]["hr"] for i in range(8)]) for j in range(3)]
    before = codec.encode(torch.cat(batches))
    assert 0.4 < float(before.std()) < 2.5  # the built-in scale is roughly right by itself
    codec.fit_statistics(batches)
    latent = codec.encode(torch.cat(batches)).transpose(0, 1).flatten(1)
    assert torch.allclose(latent.mean(1), torch.zeros(512), atol=1e-3)
    assert torch.allclose(latent.std(1), torch.ones(512), atol=1e-2)
    other = MDCT()
    other.load_state_dict(codec.state_dict())
    assert torch.equal(other.encode(batches[0]), codec.encode(batches[0]))
    with pytest.raises(DataError, match="silent"):
        codec.fit_statistics([torch.zeros(1, 1, 5000)])


def test_channels_below_an_edge_hold_all_that_is_below_it() -> None:
    codec = MDCT(44_100, 64, exponent=1.0)
    edge_hz = torch.tensor([22_050.0, 11_025.0, 6000.0, 10.0])
    below = codec.channels_below(edge_hz)
    assert below.shape == (4, 64, 1) and below.sum(dim=1)[:, 0].tolist() == [64, 32, 17, 0]
    tone = torch.sin(2 * torch.pi * 9000 / 44_100 * torch.arange(8192))[None, None]
    energy = codec.analyse(tone)[0, :, 4:-4].square().sum(dim=1)
    assert float((energy * below[1, :, 0]).sum() / energy.sum()) > 0.99
    assert float((energy * below[2, :, 0]).sum() / energy.sum()) < 0.01


RATE, CUTOFF = 44_100, 4000.0


def replicated(audio: torch.Tensor, latent_dim: int = 1024) -> tuple[torch.Tensor, torch.Tensor]:
    """What stands for noise for `audio` [time] that ends at the cutoff, and the noise, [latent_dim, frame] each."""
    codec = MDCT(latent_dim=latent_dim)
    z = codec.encode(audio[None, None])
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(0))
    return codec.replicated(z, torch.tensor([CUTOFF]), noise)[0], noise[0]


def test_replicated_noise_has_unit_variance_above_the_cutoff_and_is_the_noise_below() -> None:
    audio = SyntheticAudio(4, 2 * RATE, RATE, seed=1)[0]["hr"][0]
    start, noise = replicated(audio)
    below = int(0.9 * CUTOFF / RATE * 2 * 1024)
    assert torch.equal(start[:below], noise[:below])
    assert not torch.isclose(start[below + 40 :], noise[below + 40 :]).all(dim=1).any()
    assert 0.8 < float(start[below + 40 :].square().mean()) < 1.2


def test_replicated_noise_keeps_an_attack_short_where_noise_fills_the_frame() -> None:
    codec, hop = MDCT(latent_dim=1024), 1024
    audio = torch.zeros(16 * hop)
    place = 8 * hop + 600
    audio[place] = 1.0
    start, noise = replicated(audio)
    sounds = torch.zeros_like(start)
    lasting = codec.encode(audio[None, None])[0, :170].square().mean(dim=0) > 1e-6  # the frames that hold the click
    shares = []
    for z in (start, noise):
        sounds[300:] = z[300:] * lasting
        energy = codec.decode(sounds[None], len(audio))[0, 0].square()
        shares.append(float(energy[place - 100 : place + 100].sum() / energy.sum()))
    assert shares[0] > 0.3
    assert shares[1] < 0.15


@pytest.mark.parametrize("distance", [12, 20, 26])
def test_partials_go_on_in_their_places(distance: int) -> None:
    time, hz = torch.arange(2 * RATE) / RATE, (distance + 0.02) * RATE / 2048
    audio = sum(torch.sin(6.2831853 * hz * k * time) for k in range(1, 200) if k * hz < CUTOFF)
    start, noise = replicated(torch.as_tensor(audio))
    level = start[200 : 200 + 20 * distance, 10:-10].square().mean(dim=1)
    by_place = (torch.arange(200, 200 + 20 * distance) + distance // 2) % distance - distance // 2
    on, between = level[by_place.abs() <= 2].mean(), level[by_place.abs() > 3].mean()
    assert on > 5 * between
    assert noise[200:260, 5:-5].square().mean(dim=1).max() < 2


@pytest.mark.parametrize("cutoff_hz", [3000.0, CUTOFF, 11_025.0])
def test_no_frame_turns_over_by_a_rounding(cutoff_hz: float) -> None:
    codec, generator = MDCT(latent_dim=128), torch.Generator().manual_seed(3)
    z, noise = torch.randn(2, 4, 128, 50_000, generator=generator)
    rounded = z * (1 + 1e-6 * torch.randn(z.shape, generator=generator))
    one, other = (codec.replicated(x, torch.full((4,), cutoff_hz), noise) for x in (z, rounded))
    assert (one - other).square().mean(dim=1).sqrt().max() < 0.02
    alike = codec.replicated(torch.ones_like(z[..., :9]), torch.full((4,), cutoff_hz), noise[..., :9])
    nothing = codec.replicated(torch.zeros_like(z[..., :9]), torch.full((4,), cutoff_hz), noise[..., :9])
    assert alike.isfinite().all()
    assert nothing.isfinite().all()


def test_latents_that_are_no_spectrum_are_not_replicated() -> None:
    z, cutoff_hz = torch.zeros(1, 512, 4), torch.tensor([CUTOFF])
    with pytest.raises(ConfigError, match=r"sampler\.noise=replicated needs codec=mdct"):
        Codec.replicated(MDCT(), z, cutoff_hz, z)
