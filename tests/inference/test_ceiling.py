"""What a codec leaves to a model: the reference itself through it, beside the model's results."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.spectrum import stft
from saga_sr.codecs.codec import Codec
from saga_sr.evaluation.comparison import Clip, compare_methods
from saga_sr.inference.enhancer import Enhancer
from saga_sr.packages.package import load_package

RATE, CUTOFF_HZ = 44_100, 4000


@pytest.fixture(scope="module")
def enhancer(package: Path) -> Enhancer:
    return Enhancer(load_package(package))


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def bands(audio: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The spectrum below 0.8 x the cutoff, and above 1.2 x."""
    spectrum = stft(audio)[..., 2:-2]
    middle = CUTOFF_HZ / RATE * 2048
    return spectrum[..., : int(0.8 * middle), :], spectrum[..., int(1.2 * middle) :, :]


@pytest.mark.parametrize("channels", [1, 2])
def test_it_is_the_reference_above_the_cutoff_and_the_input_below(
    enhancer: Enhancer, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = noise(2, channels, 20_000) * torch.tensor([1.0, 0.01])[:, None, None]
    cutoffs = torch.full((2,), float(CUTOFF_HZ))
    lr = degrade(reference, [LowPassFilter("chebyshev1", 8, CUTOFF_HZ)] * 2, RATE)

    def ceiling() -> tuple[torch.Tensor, torch.Tensor]:
        return bands(enhancer.ceiling(reference, lr, cutoffs))

    low, high = ceiling()
    assert torch.allclose(low, bands(lr)[0], atol=1e-3)
    assert torch.allclose(high, bands(reference)[1], atol=1e-3)
    # What a codec loses is seen above the cutoff alone.
    decode = Codec.decode
    monkeypatch.setattr(Codec, "decode", lambda self, z, length: 0.5 * decode(self, z, length))
    low, high = ceiling()
    assert torch.allclose(low, bands(lr)[0], atol=1e-3)
    assert torch.allclose(high, 0.5 * bands(reference)[1], atol=1e-3)


def test_of_silence_it_is_silence(enhancer: Enhancer) -> None:
    silence = torch.zeros(1, 1, 20_000)
    assert not enhancer.ceiling(silence, silence, torch.tensor([float(CUTOFF_HZ)])).any()


def test_it_is_the_last_row_of_a_comparison(enhancer: Enhancer) -> None:
    clips = [Clip(str(i), noise(1, 20_000, seed=i)) for i in range(2)]
    methods = {"input": lambda lr, cutoff_hz, _: lr}
    result = compare_methods(clips, methods, [CUTOFF_HZ], RATE, examples=1, ceiling=enhancer.ceiling)
    assert result.methods == ["input", "ceiling"]
    assert result.mean(CUTOFF_HZ, "ceiling", "lsd_hf") < 0.1 < 1 < result.mean(CUTOFF_HZ, "input", "lsd_hf")
    assert list(result.examples[0].audios) == ["input", "ceiling", "reference"]
