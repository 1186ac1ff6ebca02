"""Layers that the transformers share: rotary positions, grouped-query attention, time features."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention

from saga_sr.core.errors import ConfigError
from saga_sr.core.hardware import mkl_is_slow

# Below so many rows the conversion to oneDNN's layout and back costs more than it gains.
FEW_ROWS = 128
# Scores of one head, 12 s of 512-sample frames, up to which writing them out costs little memory.
FEW_SCORES = 1024 * 1024


def rotary_table(length: int, width: int, device: torch.device, base: float = 10_000.0) -> Tensor:
    """Cosines and sines of the rotary angles, [2, length, width / 2] in float32.

    Source: Su et al., "RoFormer" (2021), section 3.2.2.
    """
    frequency = base ** (-torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)
    angle = torch.arange(length, device=device, dtype=torch.float32)[:, None] * frequency
    return torch.stack([angle.cos(), angle.sin()])


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Turn the pairs (x_i, x_{i + w/2}) of `x` [b, head, length, w] by the angles of `table` [2, length, w / 2]."""
    cos, sin = table.to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class Linear(nn.Linear):
    """PyTorch's own, by oneDNN where that is twice as fast: many rows of float32 where MKL is slow.

    Attributes:
        rounded: the weight in bfloat16, by which training multiplies then, and which it takes the gradient of.
    """

    rounded: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.rounded is not None and self.training:
            return linear(x, self.rounded, self.bias)
        plain = type(x) is Tensor and x.device.type == "cpu" and not torch.compiler.is_compiling()
        float32 = x.dtype == self.weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        # Sizes are looked at last: in a graph that is being exported they are not known.
        if plain and float32 and x.numel() >= FEW_ROWS * self.in_features and mkl_is_slow():
            return linear(x.to_mkldnn(), self.weight, self.bias).to_dense()
        return super().forward(x)


class TimeEmbedding(nn.Module):
    """Sinusoidal features of t in [0, 1] through a two-layer network: [b] -> [b, width] (DiT, Peebles & Xie 2023)."""

    frequency: Tensor

    def __init__(self, width: int, features: int = 256) -> None:
        super().__init__()
        # Periods from 2 pi / 1000 to 20 pi, i.e. the usual features of a time counted from 0 to 1000.
        frequency = 1000 * torch.exp(-math.log(10_000) * torch.arange(features // 2) / (features // 2))
        self.register_buffer("frequency", frequency, persistent=False)
        self.network = nn.Sequential(nn.Linear(features, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        angle = t.float()[:, None] * self.frequency
        return self.network(torch.cat([angle.cos(), angle.sin()], dim=-1))


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, enable_gqa: bool = False) -> Tensor:
    """Scaled dot-product attention of [b, head, length, w].

    `mask` (broadcast) is true where to attend, or numbers that are added to the scores.
    """
    rounded = query.device.type == "cpu" and query.dtype == torch.bfloat16
    added = mask is not None and mask.is_floating_point()
    if rounded and (mask is None or added) and query.shape[-2] * key.shape[-2] <= FEW_SCORES:
        # PyTorch's CPU kernel takes twice the time of plain products, and up to six times with the gradient.
        if enable_gqa:
            key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], dim=1) for x in (key, value))
        scores = query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2)
        scores = scores if mask is None else scores + mask.float()
        return scores.softmax(-1).to(value.dtype) @ value
    # Its bfloat16 gradient takes longer than the float32 one; and what is added is not to be rounded to bfloat16.
    if (rounded and query.requires_grad) or added:
        with torch.autocast(query.device.type, enabled=False):
            return scaled_dot_product_attention(query.float(), key.float(), value.float(), mask, enable_gqa=enable_gqa)
    return scaled_dot_product_attention(query, key, value, mask, enable_gqa=enable_gqa)


class HeadNorm(nn.RMSNorm):
    """RMS normalisation in the dtype of its input, so that it stays one fused operation under autocast."""

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)


class Attention(nn.Module):
    """Self-attention whose query heads share `kv_heads` key and value heads, with rotary positions.

    Queries and keys are normalised per head when `qk_norm` (Henry et al., "Query-Key Normalization", 2020), which keeps
    the logits bounded at high learning rates. Source of grouping: Ainslie et al., "GQA" (2023).

    Raises:
        ConfigError: `width` is no multiple of 2 x `heads`, or `heads` no multiple of `kv_heads`.
    """

    def __init__(self, width: int, heads: int, kv_heads: int, qk_norm: bool = True) -> None:
        super().__init__()
        if width % (2 * heads):
            raise ConfigError(
                f"backbone.width={width} cannot be divided into {heads} heads of even width; "
                f"choose a width that is a multiple of {2 * heads}."
            )
        if heads % kv_heads:
            raise ConfigError(
                f"backbone.heads={heads} cannot share backbone.kv_heads={kv_heads} key-value heads evenly; "
                f"choose kv_heads that divides {heads}."
            )
        self.head_width = width // heads
        self.grouped = heads != kv_heads
        self.to_query = Linear(width, width, bias=False)
        self.to_key_value = Linear(width, 2 * kv_heads * self.head_width, bias=False)
        self.to_out = Linear(width, width, bias=False)
        self.norm_query = HeadNorm(self.head_width) if qk_norm else nn.Identity()
        self.norm_key = HeadNorm(self.head_width) if qk_norm else nn.Identity()

    def forward(self, x: Tensor, table: Tensor) -> Tensor:
        """Attend within `x` [b, length, width]; `table` is the rotary table for its length."""
        query = rearrange(self.to_query(x), "b n (h w) -> b h n w", w=self.head_width)
        key, value = rearrange(self.to_key_value(x), "b n (two h w) -> two b h n w", two=2, w=self.head_width)
        query = rotate(self.norm_query(query), table)
        key = rotate(self.norm_key(key), table)
        attended = attend(query, key, value, enable_gqa=self.grouped)
        return self.to_out(rearrange(attended, "b h n w -> b n (h w)"))


class GatedFeedForward(nn.Module):
    """Feed-forward four times as wide, half of it gating the other through an `activation`.

    Source: Shazeer, "GLU Variants Improve Transformer" (2020).
    """

    def __init__(self, width: int, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.expand = Linear(width, 8 * width)
        self.contract = Linear(4 * width, width)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        x, gate = self.expand(x).chunk(2, dim=-1)
        return self.contract(x * self.activation(gate))
