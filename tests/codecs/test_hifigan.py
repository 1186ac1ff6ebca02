"""The generator against another implementation of it, transformers' `SpeechT5HifiGan`."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.utils import parametrizations
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

from saga_sr.codecs.hifigan import HifiGAN, HifiGANSizes, fill
from saga_sr.core.errors import WeightsError

SIZES = HifiGANSizes(16, [5, 4, 2], [16, 8, 4], 32, [3, 7], [[1, 3], [1, 3]])


@pytest.fixture(scope="module")
def theirs() -> Any:
    torch.manual_seed(0)
    network = SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=16,
            upsample_initial_channel=32,
            upsample_rates=[5, 4, 2],
            upsample_kernel_sizes=[16, 8, 4],
            resblock_kernel_sizes=[3, 7],
            resblock_dilation_sizes=[[1, 3], [1, 3]],
            normalize_before=False,
            initializer_range=0.1,
        )
    ).eval()
    return network.requires_grad_(False)


def state_of(network: Any) -> dict[str, torch.Tensor]:
    """Its tensors by their names in HiFi-GAN's own files."""
    return {
        name.replace("upsampler", "ups"): tensor
        for name, tensor in network.state_dict().items()
        if name not in ("mean", "scale")
    }


def test_audio_is_the_same(theirs: Any) -> None:
    ours = HifiGAN(SIZES)
    fill(ours, state_of(theirs), "here")
    mel = torch.randn(2, 16, 12)
    audio = ours(mel)
    assert audio.std() > 1e-3 and torch.allclose(audio, theirs(mel.transpose(1, 2)), atol=1e-6)
    # A kernel of 16 with a rate of 5 gives a sample more, which the other stages multiply.
    assert audio.shape == (2, 12 * 40 + 8)


@pytest.mark.parametrize("made_by", [parametrizations.weight_norm, torch.nn.utils.weight_norm])
@pytest.mark.parametrize("kind", ["1", "2"])
def test_normalised_weights_are_multiplied_out(made_by: Any, kind: str) -> None:
    sizes = HifiGANSizes(8, [4], [8], 8, [3], [[1, 3]], kind)
    torch.manual_seed(0)
    plain, normalised = HifiGAN(sizes), HifiGAN(sizes)
    for layer in normalised.modules():
        if isinstance(layer, torch.nn.Conv1d | torch.nn.ConvTranspose1d):
            made_by(layer)
    mel = torch.randn(1, 8, 5)
    fill(plain, normalised.state_dict(), "here")
    assert not any("norm" in name or "_g" in name for name in plain.state_dict())
    assert torch.allclose(plain(mel), normalised(mel), atol=1e-6)


def test_weights_of_another_network_are_refused(theirs: Any) -> None:
    state = state_of(theirs)
    with pytest.raises(WeightsError, match=r"weights at here are not those of a HifiGAN of these sizes .*; give"):
        fill(HifiGAN(HifiGANSizes(16, [5, 4, 2], [16, 8, 4], 64)), state, "here")
    with pytest.raises(WeightsError, match=r"Missing key.*conv_pre.bias.*; give"):
        fill(HifiGAN(SIZES), {name: state[name] for name in state if name != "conv_pre.bias"}, "here")
