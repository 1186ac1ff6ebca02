"""AudioSR's backbone: the U-Net of latent diffusion over time and mel bands, with the low-resolution latent joined.

Sources: AudioSR (Liu et al., arXiv 2309.07314); Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion
Models" (2022).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, pad, silu

from saga_sr.backbones.backbone import Backbone, Prediction
from saga_sr.backbones.layers import GatedFeedForward, Linear, attend
from saga_sr.conditioning import Conditioning
from saga_sr.core.errors import ConfigError
from saga_sr.weights.conventions import enter, leave

# Channels are normalised in so many groups.
GROUPS = 32


class ResidualBlock(nn.Module):
    """Two convolutions with the time between them, and a way around: [b, inputs, t, f] -> [b, outputs, t, f]."""

    def __init__(self, inputs: int, outputs: int, time_width: int) -> None:
        super().__init__()
        self.norm_in = nn.GroupNorm(GROUPS, inputs)
        self.conv_in = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time = Linear(time_width, outputs)
        self.norm_out = nn.GroupNorm(GROUPS, outputs)
        self.conv_out = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        # A fresh block changes nothing.
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        y = self.conv_in(silu(self.norm_in(x))) + self.time(silu(time))[..., None, None]
        return self.skip(x) + self.conv_out(silu(self.norm_out(y)))


class SelfAttention(nn.Module):
    """Attention within the sequence [b, n, width], without positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (Linear(width, width, bias=False) for _ in range(3))
        self.to_out = Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            rearrange(to(x), "b n (h w) -> b h n w", h=self.heads) for to in (self.to_q, self.to_k, self.to_v)
        )
        return self.to_out(rearrange(attend(query, key, value), "b h n w -> b n (h w)"))


class SpatialTransformer(nn.Module):
    """Two self-attentions and a feed-forward over all places of [b, width, t, f].

    The second attention would be to a condition's tokens, of which AudioSR has none.
    """

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        heads = max(1, width // head_width)
        self.norm = nn.GroupNorm(GROUPS, width, eps=1e-6)
        self.proj_in = nn.Conv2d(width, width, 1)
        self.norm_first, self.norm_second, self.norm_feed_forward = (nn.LayerNorm(width) for _ in range(3))
        self.first_attention, self.second_attention = (SelfAttention(width, heads) for _ in range(2))
        self.feed_forward = GatedFeedForward(width, gelu)
        self.proj_out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        y = rearrange(self.proj_in(self.norm(x)), "b c t f -> b (t f) c")
        y = y + self.first_attention(self.norm_first(y))
        y = y + self.second_attention(self.norm_second(y))
        y = y + self.feed_forward(self.norm_feed_forward(y))
        return x + self.proj_out(rearrange(y, "b (t f) c -> b c t f", f=x.shape[3]))


class Convolution(nn.Module):
    """A convolution of size 3 that keeps, halves or (`up`) doubles time and bands."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, up: bool = False) -> None:
        super().__init__()
        self.up = up
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        return self.conv(interpolate(x, scale_factor=2.0, mode="nearest") if self.up else x)


class Stage(nn.ModuleList):
    """Layers of [b, c, t, f] and the time embedding, one after the other."""

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        for layer in self:
            x = layer(x, time)
        return x


class AudioSRUNet(Backbone):
    """The U-Net of AudioSR's `basic` and `speech`, which sees latents as images [channel, frame, band].

    It was trained as a diffusion with v-prediction of 1,000 steps, which `conventions` calls `v_diffusion`; here it is
    asked, and answers, as a flow. Frames beyond a multiple of what it halves them by are added and cut off again.

    Args:
        latent_dim: channels of z_t and of the prediction, which are channels x bands.
        bands: how many of them are places along the frequency.
        width: channels of the first level.
        multipliers: of the width, for each level; time and bands are halved between two.
        blocks: residual blocks of a level, of which the way up has one more.
        attention: for each level, whether its residual blocks are followed by two transformers.
        head_width: of the attention.
        prediction, prior: of the objective, which must be `velocity` and `noise`.

    Raises:
        ConfigError: sizes that do not go together, or another prediction or prior.
    """

    def __init__(
        self,
        latent_dim: int,
        bands: int = 32,
        width: int = 128,
        multipliers: Sequence[int] = (1, 2, 3, 5),
        blocks: int = 2,
        attention: Sequence[bool] = (False, True, True, True),
        head_width: int = 32,
        prediction: str = "velocity",
        prior: str = "noise",
    ) -> None:
        super().__init__()
        if prediction != "velocity" or prior != "noise":
            raise ConfigError(
                "backbone=audiosr_unet predicts a velocity of paths from pure noise; add objective=velocity or "
                "objective=v_diffusion."
            )
        check_sizes(latent_dim, bands, width, multipliers, attention, head_width)
        self.latent_dim, self.bands, self.width = latent_dim, bands, width
        self.shrinks = 2 ** (len(multipliers) - 1)
        channels, time = latent_dim // bands, 4 * width
        self.time_embedding = nn.Sequential(Linear(width, time), nn.SiLU(), Linear(time, time))
        widths = [width * multiplier for multiplier in multipliers]

        def level(i: int, inputs: int) -> Iterator[nn.Module]:
            yield ResidualBlock(inputs, widths[i], time)
            if attention[i]:
                yield from (SpatialTransformer(widths[i], head_width) for _ in range(2))

        self.down = nn.ModuleList([Stage([Convolution(2 * channels, width)])])
        kept = [width]
        for i, level_width in enumerate(widths):
            for _ in range(blocks):
                self.down.append(Stage(level(i, kept[-1])))
                kept.append(level_width)
            if i < len(widths) - 1:
                self.down.append(Stage([Convolution(level_width, level_width, stride=2)]))
                kept.append(level_width)
        below = widths[-1]
        around = (ResidualBlock(below, below, time) for _ in range(2))
        within = (SpatialTransformer(below, head_width) for _ in range(2))
        self.middle = Stage([next(around), *within, next(around)])
        self.up = nn.ModuleList()
        for i in reversed(range(len(widths))):
            for block in range(blocks + 1):
                layers = [*level(i, below + kept.pop())]
                below = widths[i]
                if i and block == blocks:
                    layers.append(Convolution(below, below, up=True))
                self.up.append(Stage(layers))
        self.norm_out = nn.GroupNorm(GROUPS, width)
        self.conv_out = nn.Conv2d(width, channels, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]

    def forward(self, z_t: Tensor, t: Tensor, conditioning: Conditioning) -> Prediction:
        """The velocity at `z_t` [b, c, frame] and `t` [b]."""
        z_lr = conditioning.concat
        assert z_lr is not None  # every conditioner provides it
        z, step = enter(z_t, t, "v_diffusion")
        time = self.time_embedding(self.features(step))
        both = [rearrange(x, "b (c f) t -> b c t f", f=self.bands) for x in (z, z_lr)]
        frames = z_t.shape[-1]
        x = pad(torch.cat(both, dim=1), (0, 0, 0, -frames % self.shrinks), mode="replicate")
        kept = []
        for stage in self.down:
            x = stage(x, time)
            kept.append(x)
        x = self.middle(x, time)
        for stage in self.up:
            x = stage(torch.cat([x, kept.pop()], dim=1), time)
        x = self.conv_out(silu(self.norm_out(x)))[:, :, :frames]
        return Prediction(leave(rearrange(x, "b c t f -> b (c f) t"), z_t, t, "v_diffusion"))

    def features(self, step: Tensor) -> Tensor:
        """Cosines and sines of the diffusion's `step` [b], [b, width]."""
        half = self.width // 2
        frequency = torch.exp(-math.log(10_000) * torch.arange(half, device=step.device) / half)
        angle = step[:, None] * frequency
        return torch.cat([angle.cos(), angle.sin()], dim=-1)


def check_sizes(
    latent_dim: int, bands: int, width: int, multipliers: Sequence[int], attention: Sequence[bool], head_width: int
) -> None:
    """See whether the sizes of a U-Net go together.

    Raises:
        ConfigError: they do not.
    """
    shrinks = 2 ** (len(multipliers) - 1)
    if latent_dim % bands or bands % shrinks:
        raise ConfigError(
            f"backbone.bands={bands} must divide backbone.latent_dim={latent_dim} and be a multiple of {shrinks}, what "
            "the levels shrink it by; take codec=audiosr, or other multipliers."
        )
    if width % GROUPS or len(attention) != len(multipliers):
        raise ConfigError(
            f"backbone.width={width} must be a multiple of {GROUPS}, and backbone.attention have as many entries as "
            "backbone.multipliers; change them."
        )
    if any(width * multiplier % head_width for multiplier in multipliers):
        raise ConfigError(f"backbone.head_width={head_width} must divide all of the levels' widths; choose 32.")
