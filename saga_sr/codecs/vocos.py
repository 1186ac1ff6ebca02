"""Vocos: mel spectrograms to spectra at the same rate, and those to audio by the inverse STFT."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from saga_sr.codecs.stft import STFT, Padding

LARGEST_MAGNITUDE = 100.0


@dataclass(frozen=True)
class VocosSizes:
    """The sizes of a network, by their names in the `config.yaml` of Vocos.

    Attributes:
        input_channels: bands that it reads.
        dim, intermediate_dim, num_layers: width, inner width and number of its blocks.
        n_fft, hop_length, padding: of the inverse STFT, see `STFT`.
    """

    input_channels: int
    dim: int
    intermediate_dim: int
    num_layers: int
    n_fft: int
    hop_length: int
    padding: Padding = "center"


class Vocos(nn.Module):
    """Log-mel spectrogram [b, input_channels, frame] -> audio [b, time], as long as `STFT.inverse` makes it.

    Parameters have the names of the published networks.

    Source: Siuzdak, "Vocos: Closing the gap between time-domain and Fourier-based neural vocoders" (2023).
    """

    def __init__(self, sizes: VocosSizes) -> None:
        super().__init__()
        self.backbone = ConvNeXt(sizes)
        self.head = nn.ModuleDict({"out": nn.Linear(sizes.dim, sizes.n_fft + 2)})
        self.stft = STFT(sizes.n_fft, sizes.hop_length, None, sizes.padding)

    def forward(self, log_mel: Tensor) -> Tensor:
        magnitude, phase = self.head["out"](self.backbone(log_mel)).transpose(1, 2).float().chunk(2, dim=1)
        return self.stft.inverse(torch.polar(magnitude.exp().clamp(max=LARGEST_MAGNITUDE), phase))


class ConvNeXt(nn.Module):
    """Features [b, input_channels, frame] -> [b, frame, dim]."""

    def __init__(self, sizes: VocosSizes) -> None:
        super().__init__()
        self.embed = nn.Conv1d(sizes.input_channels, sizes.dim, 7, padding=3)
        self.norm = nn.LayerNorm(sizes.dim, eps=1e-6)
        self.convnext = nn.ModuleList(Block(sizes) for _ in range(sizes.num_layers))
        self.final_layer_norm = nn.LayerNorm(sizes.dim, eps=1e-6)

    def forward(self, features: Tensor) -> Tensor:
        x = self.norm(self.embed(features).transpose(1, 2))
        for block in self.convnext:
            x = block(x)
        return self.final_layer_norm(x)


class Block(nn.Module):
    """A convolution over time and a small network for each frame, [b, frame, dim] -> the same, with a way around."""

    def __init__(self, sizes: VocosSizes) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(sizes.dim, sizes.dim, 7, padding=3, groups=sizes.dim)
        self.norm = nn.LayerNorm(sizes.dim, eps=1e-6)
        self.pwconv1 = nn.Linear(sizes.dim, sizes.intermediate_dim)
        self.pwconv2 = nn.Linear(sizes.intermediate_dim, sizes.dim)
        self.gamma = nn.Parameter(torch.ones(sizes.dim))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x.transpose(1, 2)).transpose(1, 2))
        return x + self.gamma * self.pwconv2(gelu(self.pwconv1(y)))
