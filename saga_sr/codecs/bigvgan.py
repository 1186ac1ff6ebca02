"""The generator of BigVGAN: HiFi-GAN's with periodic activations that do not alias."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, conv_transpose1d, pad

from saga_sr.codecs.hifigan import HifiGANSizes, same_convolution, upsampler

# Of the filters around an activation, which is computed at twice the rate.
TAPS = 12


@dataclass(frozen=True)
class BigVGANSizes(HifiGANSizes):
    """The sizes of a generator, by their names in the `config.json` of BigVGAN.

    Attributes:
        activation: `snake`, or `snakebeta`, whose height is a parameter of its own.
        snake_logscale: whether the activations' parameters are logarithms.
        use_tanh_at_final: or else audio is clipped to [-1, 1].
        use_bias_at_final: whether the last convolution has a bias.
    """

    activation: str = "snakebeta"
    snake_logscale: bool = True
    use_tanh_at_final: bool = True
    use_bias_at_final: bool = True


class BigVGAN(nn.Module):
    """Log-mel spectrogram [b, num_mels, frame] -> audio [b, frame * hop].

    Parameters have the names of the published generators, without weight normalisation.

    Source: Lee et al., "BigVGAN: A Universal Neural Vocoder with Large-Scale Training" (2023).
    """

    def __init__(self, sizes: BigVGANSizes) -> None:
        super().__init__()
        self.sizes = sizes
        stages = range(len(sizes.upsample_rates))
        last = sizes.width(len(stages))
        self.conv_pre = nn.Conv1d(sizes.num_mels, sizes.width(0), 7, padding=3)
        self.ups = nn.ModuleList(nn.Sequential(upsampler(sizes, stage)) for stage in stages)
        self.resblocks = nn.ModuleList(
            PeriodicBlock(sizes, sizes.width(stage + 1), kernel, dilations)
            for stage in stages
            for kernel, dilations in zip(sizes.resblock_kernel_sizes, sizes.resblock_dilation_sizes, strict=True)
        )
        self.activation_post = AliasFreeActivation(sizes, last)
        self.conv_post = nn.Conv1d(last, 1, 7, padding=3, bias=sizes.use_bias_at_final)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Audio [b, time] in [-1, 1] of `log_mel` [b, num_mels, frame]."""
        x = self.conv_pre(log_mel)
        kernels = len(self.sizes.resblock_kernel_sizes)
        for stage, up in enumerate(self.ups):
            x = up(x)
            x = torch.stack([block(x) for block in self.resblocks[stage * kernels : (stage + 1) * kernels]]).mean(0)
        x = self.conv_post(self.activation_post(x))[:, 0]
        return x.tanh() if self.sizes.use_tanh_at_final else x.clamp(-1, 1)


class PeriodicBlock(nn.Module):
    """Dilated convolutions [b, channels, time] -> the same, an activation before each and a way around."""

    def __init__(self, sizes: BigVGANSizes, channels: int, kernel: int, dilations: Sequence[int]) -> None:
        super().__init__()
        dilated = nn.ModuleList(same_convolution(channels, kernel, dilation) for dilation in dilations)
        self.plain = sizes.resblock == "1"
        if self.plain:
            self.convs1 = dilated
            self.convs2 = nn.ModuleList(same_convolution(channels, kernel, 1) for _ in dilations)
        else:
            self.convs = dilated
        count = len(dilations) * (2 if self.plain else 1)
        self.activations = nn.ModuleList(AliasFreeActivation(sizes, channels) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        activations = iter(self.activations)
        for chain in zip(self.convs1, self.convs2, strict=True) if self.plain else zip(self.convs, strict=True):
            y = x
            for convolution in chain:
                y = convolution(next(activations)(y))
            x = x + y
        return x


class AliasFreeActivation(nn.Module):
    """An activation [b, channels, time] -> the same, computed at twice the rate."""

    def __init__(self, sizes: BigVGANSizes, channels: int) -> None:
        super().__init__()
        self.act = Snake(channels, sizes.activation == "snakebeta", sizes.snake_logscale)
        self.upsample = LowPass()
        self.downsample = DownSample()

    def forward(self, x: Tensor) -> Tensor:
        channels, edge = x.shape[1], TAPS // 2 - 1
        up = self.upsample.filter.expand(channels, -1, -1)
        down = self.downsample.lowpass.filter.expand(channels, -1, -1)
        x = 2 * conv_transpose1d(pad(x, (edge, edge), mode="replicate"), up, stride=2, groups=channels)
        # As much is cut off as the repeated samples and the filter's ends have made.
        cut = 2 * edge + (TAPS - 2) // 2
        x = pad(self.act(x[..., cut:-cut]), (TAPS // 2 - 1, TAPS // 2), mode="replicate")
        return conv1d(x, down, stride=2, groups=channels)


class LowPass(nn.Module):
    """Holds the windowed sinc filter [1, 1, TAPS] of half a band, under the name that published weights have for it."""

    filter: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Kaiser's rules for a transition as wide as 0.3 of the rate on each side, which gives about 51 dB.
        attenuation = 2.285 * (TAPS // 2 - 1) * math.pi * 4 * 0.3 + 7.95
        window = torch.kaiser_window(TAPS, periodic=False, beta=0.1102 * (attenuation - 8.7))
        taps = window * torch.sinc((torch.arange(TAPS) - (TAPS - 1) / 2) / 2)
        self.register_buffer("filter", (taps / taps.sum())[None, None])


class DownSample(nn.Module):
    """Where published weights have the filter of the way back to the rate."""

    def __init__(self) -> None:
        super().__init__()
        self.lowpass = LowPass()


class Snake(nn.Module):
    """x + sin^2(alpha x) / beta, with an alpha and a beta, or one for both, for each channel."""

    def __init__(self, channels: int, two: bool, logarithmic: bool) -> None:
        super().__init__()
        self.logarithmic = logarithmic
        self.alpha = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.zeros(channels)) if two else None

    def forward(self, x: Tensor) -> Tensor:
        alpha: Tensor = self.alpha
        beta: Tensor = self.alpha if self.beta is None else self.beta
        if self.logarithmic:
            alpha, beta = alpha.exp(), beta.exp()
        return x + (alpha[:, None] * x).sin().square() / (beta[:, None] + 1e-9)
