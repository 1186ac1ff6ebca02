"""The generator of HiFi-GAN: mel spectrograms to audio by transposed convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from saga_sr.core.errors import WeightsError

SLOPE = 0.1
# How two generations of PyTorch name the direction and the length of a weight that is kept normalised.
WEIGHT_NORMS = {
    ".weight_v": ".weight_g",
    ".parametrizations.weight.original1": ".parametrizations.weight.original0",
}


@dataclass(frozen=True)
class HifiGANSizes:
    """The sizes of a generator, by their names in the `config.json` of HiFi-GAN.

    Attributes:
        num_mels: bands that it reads.
        upsample_rates, upsample_kernel_sizes: of each transposed convolution; the product of the rates is the hop.
        upsample_initial_channel: channels before the first of them; each halves them.
        resblock_kernel_sizes, resblock_dilation_sizes: of the residual blocks after each of them, whose mean is taken.
        resblock: `1`: a plain convolution follows each dilated one; `2`: none does.
    """

    num_mels: int
    upsample_rates: Sequence[int]
    upsample_kernel_sizes: Sequence[int]
    upsample_initial_channel: int
    resblock_kernel_sizes: Sequence[int] = (3, 7, 11)
    resblock_dilation_sizes: Sequence[Sequence[int]] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    resblock: str = "1"

    def width(self, stage: int) -> int:
        """Channels after so many transposed convolutions."""
        return self.upsample_initial_channel // 2**stage


class HifiGAN(nn.Module):
    """Log-mel spectrogram [b, num_mels, frame] -> audio [b, frame * hop].

    There are some samples more where a kernel's size less its rate is odd. Parameters have the names of the published
    generators, without weight normalisation: see `without_weight_norm`.

    Source: Kong et al., "HiFi-GAN" (2020).
    """

    def __init__(self, sizes: HifiGANSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.conv_pre = nn.Conv1d(sizes.num_mels, sizes.width(0), 7, padding=3)
        self.ups = nn.ModuleList(upsampler(sizes, stage) for stage in range(len(sizes.upsample_rates)))
        self.resblocks = nn.ModuleList(
            ResidualBlock(sizes.width(stage + 1), kernel, dilations, sizes.resblock)
            for stage in range(len(sizes.upsample_rates))
            for kernel, dilations in zip(sizes.resblock_kernel_sizes, sizes.resblock_dilation_sizes, strict=True)
        )
        self.conv_post = nn.Conv1d(sizes.width(len(sizes.upsample_rates)), 1, 7, padding=3)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Audio [b, time] in (-1, 1) of `log_mel` [b, num_mels, frame]."""
        x = self.conv_pre(log_mel)
        kernels = len(self.sizes.resblock_kernel_sizes)
        for stage, up in enumerate(self.ups):
            x = up(leaky_relu(x, SLOPE))
            x = torch.stack([block(x) for block in self.resblocks[stage * kernels : (stage + 1) * kernels]]).mean(0)
        # The last slope is PyTorch's default in the published code, and so in all weights.
        return self.conv_post(leaky_relu(x)).tanh()[:, 0]


class ResidualBlock(nn.Module):
    """Dilated convolutions [b, channels, time] -> the same, each with a way around it."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int], kind: str) -> None:
        super().__init__()
        dilated = nn.ModuleList(same_convolution(channels, kernel, dilation) for dilation in dilations)
        if kind == "1":
            self.convs1 = dilated
            self.convs2 = nn.ModuleList(same_convolution(channels, kernel, 1) for _ in dilations)
        else:
            self.convs = dilated

    def forward(self, x: Tensor) -> Tensor:
        for chain in zip(self.convs1, self.convs2, strict=True) if hasattr(self, "convs1") else zip(self.convs):
            y = x
            for convolution in chain:
                y = convolution(leaky_relu(y, SLOPE))
            x = x + y
        return x


def upsampler(sizes: HifiGANSizes, stage: int) -> nn.ConvTranspose1d:
    """The transposed convolution of a stage."""
    rate, kernel = sizes.upsample_rates[stage], sizes.upsample_kernel_sizes[stage]
    return nn.ConvTranspose1d(sizes.width(stage), sizes.width(stage + 1), kernel, rate, padding=(kernel - rate) // 2)


def same_convolution(channels: int, kernel: int, dilation: int) -> nn.Conv1d:
    """A convolution that keeps channels and length."""
    return nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2)


def without_weight_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `state`, with weights that are kept as direction and length multiplied out."""
    plain = {
        name: tensor for name, tensor in state.items() if not name.endswith((*WEIGHT_NORMS, *WEIGHT_NORMS.values()))
    }
    for direction, length in WEIGHT_NORMS.items():
        for name in state:
            if name.endswith(direction):
                layer = name.removesuffix(direction)
                plain[f"{layer}.weight"] = torch._weight_norm(state[name], state[layer + length], 0)
    return plain


def plain_name(name: str) -> str:
    """What the tensor `name` goes into, which may be one of the two that a normalised weight is kept as."""
    for part in (*WEIGHT_NORMS, *WEIGHT_NORMS.values()):
        if name.endswith(part):
            return f"{name.removesuffix(part)}.weight"
    return name


def fill(network: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Give `network` the tensors of `state`, normalised or not, in their own dtype.

    Raises:
        WeightsError: they are another network's.
    """
    try:
        network.load_state_dict(without_weight_norm(state), assign=True)
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split()).partition(": ")[2][:200].rstrip(".")
        raise WeightsError(
            f"The weights at {where} are not those of a {type(network).__name__} of these sizes ({reason}); give the "
            "weights and the configuration of one and the same network."
        ) from error
