"""SAGA-SR's backbone: the diffusion transformer of Stable Audio, with the low-resolution latent joined to z_t.

Sources: SAGA-SR (arXiv 2509.24924) and its code; Stable Audio Open (Evans et al., 2024) for the transformer.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import zip_longest
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import layer_norm, silu

from saga_sr.backbones.backbone import Backbone, Prediction
from saga_sr.backbones.layers import GatedFeedForward, Linear, attend, rotary_table, rotate
from saga_sr.conditioning import Conditioning
from saga_sr.core.errors import ConfigError
from saga_sr.weights.conventions import CONVENTIONS, enter, leave


class GainNorm(nn.Module):
    """Layer normalisation with a gain and no bias that could be learned.

    The bias is zero in SAGA-SR and in models trained by its rules; weights that bring one keep it.
    """

    bias: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))
        self.register_buffer("bias", torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.gain.shape, self.gain, self.bias)


class FourierFeatures(nn.Module):
    """Cosines and sines of a scalar at learned frequencies: [b] -> [b, features]."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.frequency = nn.Parameter(torch.randn(features // 2))

    def forward(self, t: Tensor) -> Tensor:
        angle = 2 * math.pi * t[:, None] * self.frequency
        return torch.cat([angle.cos(), angle.sin()], dim=-1)


def two_layers(inputs: int, width: int, bias: bool) -> nn.Sequential:
    """Linear, SiLU, linear."""
    return nn.Sequential(Linear(inputs, width, bias=bias), nn.SiLU(), Linear(width, width, bias=bias))


class SelfAttention(nn.Module):
    """Attention within the sequence, with rotary positions on the first half of each head."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = Linear(width, 3 * width, bias=False)
        self.to_out = Linear(width, width, bias=False)

    def forward(self, x: Tensor, table: Tensor) -> Tensor:
        """`x` [b, n, width]; `table` is the rotary table for n positions and half a head's width."""
        query, key, value = rearrange(self.to_qkv(x), "b n (three h w) -> three b h n w", three=3, h=self.heads)
        turned = 2 * table.shape[-1]
        query, key = (torch.cat([rotate(y[..., :turned], table), y[..., turned:]], dim=-1) for y in (query, key))
        return self.to_out(rearrange(attend(query, key, value), "b h n w -> b n (h w)"))


class CrossAttention(nn.Module):
    """Attention to the condition's tokens, whose heads are shared by the query heads."""

    def __init__(self, width: int, heads: int, condition_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.head_width = width // heads
        self.to_q = Linear(width, width, bias=False)
        self.to_kv = Linear(condition_width, 2 * condition_width, bias=False)
        self.to_out = Linear(width, width, bias=False)

    def keys_values(self, tokens: Tensor) -> Tensor:
        """Keys and values [b, 2, head, s, head width] of `tokens` [b, s, condition width]."""
        return rearrange(self.to_kv(tokens), "b s (two h w) -> b two h s w", two=2, w=self.head_width)

    def forward(self, x: Tensor, keys_values: Tensor, mask: Tensor | None) -> Tensor:
        """`x` [b, n, width] attends to tokens by their `keys_values`, as `mask` [b, s] lets it."""
        query = rearrange(self.to_q(x), "b n (h w) -> b h n w", h=self.heads)
        key, value = keys_values.unbind(1)
        allowed = None if mask is None else mask[:, None, None, :]
        attended = attend(query, key, value, allowed, enable_gqa=key.shape[1] != self.heads)
        return self.to_out(rearrange(attended, "b h n w -> b n (h w)"))


class SagaBlock(nn.Module):
    """Self-attention, cross-attention where there are tokens to attend to, feed-forward; each normalised before."""

    def __init__(self, width: int, heads: int, condition_width: int | None) -> None:
        super().__init__()
        self.norm_self = GainNorm(width)
        self.self_attention = SelfAttention(width, heads)
        self.norm_cross = GainNorm(width) if condition_width else None
        self.cross_attention = CrossAttention(width, heads, condition_width) if condition_width else None
        self.norm_feed_forward = GainNorm(width)
        self.feed_forward = GatedFeedForward(width, silu)
        # A fresh block changes nothing, as in Stable Audio.
        for branch in (self.self_attention, self.cross_attention):
            if branch is not None:
                nn.init.zeros_(branch.to_out.weight)
        nn.init.zeros_(self.feed_forward.contract.weight)
        nn.init.zeros_(self.feed_forward.contract.bias)

    def forward(self, x: Tensor, table: Tensor, keys_values: Tensor | None, mask: Tensor | None) -> Tensor:
        """`x` [b, n, width] guided by the tokens of `keys_values`."""
        x = x + self.self_attention(self.norm_self(x), table)
        if self.cross_attention is not None and self.norm_cross is not None and keys_values is not None:
            x = x + self.cross_attention(self.norm_cross(x), keys_values, mask)
        return x + self.feed_forward(self.norm_feed_forward(x))

    def keys_values(self, tokens: Tensor) -> Tensor:
        """What `forward` attends to of the projected `tokens` [b, s, condition_width]."""
        return cast(CrossAttention, self.cross_attention).keys_values(tokens)


class Saga(Backbone):
    """Stable Audio's diffusion transformer.

    The time embedding and the projected global condition are one token before the sequence, which is cut off at the
    end; text and other tokens are attended to in every block. Convolutions of width 1 before and after start at zero.

    Args:
        latent_dim: channels of z_t and of the prediction.
        condition_dim: channels of the concatenated condition (`Conditioning.concat`).
        width, depth, heads: of the transformer.
        cross_attention_dim: width of the tokens of `Conditioning.cross_attention`; null leaves cross-attention out.
        cross_attention_width: what they are projected to, a multiple of a head's width; as many key and value heads
            as fit in it are shared by the query heads.
        global_dim: width of `Conditioning.global_`; null leaves it out.
        time_features: of the time embedding.
        convention: of the weights, see `conventions`; the prediction is a velocity in ours all the same.

    Raises:
        ConfigError: widths that the heads cannot divide, or an unknown convention.
    """

    def __init__(
        self,
        latent_dim: int,
        condition_dim: int,
        width: int,
        depth: int,
        heads: int,
        cross_attention_dim: int | None = None,
        cross_attention_width: int | None = None,
        global_dim: int | None = None,
        time_features: int = 256,
        convention: str = "velocity",
    ) -> None:
        super().__init__()
        if convention not in CONVENTIONS:
            raise ConfigError(
                f"backbone.convention={convention!r} is not known; choose one of {', '.join(CONVENTIONS)}."
            )
        check_widths(width, heads, cross_attention_width if cross_attention_dim else None)
        self.latent_dim = latent_dim
        self.cross_attention_dim = cross_attention_dim
        self.global_dim = global_dim
        self.convention = convention
        inputs = latent_dim + condition_dim
        self.time_features = FourierFeatures(time_features)
        self.time_embedding = two_layers(time_features, width, bias=True)
        self.global_embedding = two_layers(global_dim, width, bias=False) if global_dim else None
        condition_width = (cross_attention_width or cross_attention_dim) if cross_attention_dim else None
        self.condition_embedding = (
            two_layers(cross_attention_dim, condition_width, bias=False)
            if cross_attention_dim and condition_width
            else None
        )
        self.conv_in = nn.Conv1d(inputs, inputs, 1, bias=False)
        self.to_tokens = Linear(inputs, width, bias=False)
        self.blocks = nn.ModuleList(SagaBlock(width, heads, condition_width) for _ in range(depth))
        self.to_latent = Linear(width, latent_dim, bias=False)
        self.conv_out = nn.Conv1d(latent_dim, latent_dim, 1, bias=False)
        nn.init.zeros_(self.conv_in.weight)
        nn.init.zeros_(self.conv_out.weight)
        self.rotary_width = width // heads // 2

    def prepare(self, conditioning: Conditioning) -> Conditioning:
        """With each block's keys and values of the tokens, which do not depend on z_t and t."""
        tokens = conditioning.cross_attention
        if tokens is None or self.condition_embedding is None:
            return conditioning
        tokens = self.condition_embedding(tokens)
        keys_values = tuple(cast(SagaBlock, block).keys_values(tokens) for block in self.blocks)
        return replace(conditioning, keys_values=keys_values)

    def forward(self, z_t: Tensor, t: Tensor, conditioning: Conditioning) -> Prediction:
        """The velocity at `z_t` [b, c, frame] and `t` [b]."""
        z_lr = conditioning.concat
        assert z_lr is not None  # every conditioner provides it
        if not conditioning.keys_values:
            conditioning = self.prepare(conditioning)
        z, time = enter(z_t, t, self.convention)
        first = self.time_embedding(self.time_features(time))
        if conditioning.global_ is not None and self.global_embedding is not None:
            first = first + self.global_embedding(conditioning.global_)
        z = torch.cat([z, z_lr], dim=1)
        x = self.to_tokens((z + self.conv_in(z)).transpose(1, 2))
        x = torch.cat([first[:, None].to(x.dtype), x], dim=1)
        table = rotary_table(x.shape[1], self.rotary_width, x.device)
        for block, keys_values in zip_longest(self.blocks, conditioning.keys_values):
            x = self.through(block, x, table, keys_values, conditioning.cross_attention_mask)
        output = self.to_latent(x[:, 1:]).transpose(1, 2)
        return Prediction(leave(output + self.conv_out(output), z_t, t, self.convention))


def check_widths(width: int, heads: int, condition_width: int | None) -> None:
    """See whether the heads divide the widths.

    Raises:
        ConfigError: they do not.
    """
    if width % (4 * heads):
        raise ConfigError(
            f"backbone.width={width} cannot be divided into {heads} heads whose halves are even; choose a multiple of "
            f"{4 * heads}."
        )
    head_width = width // heads
    if condition_width is None:
        return
    if condition_width % head_width or heads % (condition_width // head_width):
        fitting = ", ".join(str(head_width * n) for n in range(1, heads + 1) if heads % n == 0)
        raise ConfigError(
            f"backbone.cross_attention_width={condition_width} cannot be shared by {heads} heads of width "
            f"{head_width}; choose one of {fitting}."
        )
