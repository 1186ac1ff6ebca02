"""JaT: a diffusion transformer on latent frames, one token a frame.

Sources: Peebles & Xie, "Scalable Diffusion Models with Transformers" (2023) for AdaLN-Zero blocks; the JaT-AudioSR
project for grouped-query attention, rotary positions and the concatenated low-resolution latent.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, pad, silu

from saga_sr.backbones.backbone import Backbone, Prediction
from saga_sr.backbones.heads import make_head
from saga_sr.backbones.layers import Attention, Linear, TimeEmbedding, rotary_table
from saga_sr.conditioning import Conditioning
from saga_sr.core.errors import ConfigError


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Shift and scale `x` [b, n, w] by per-example `shift` and `scale` [b, w]."""
    return torch.addcmul(shift[:, None], x, 1 + scale[:, None])


def log_levels(z: Tensor, frames: int = 3) -> Tensor:
    """Standardised log power of a latent `z` [b, c, frame], each smoothed over 9 channels and so many `frames` (odd).

    What lies above a low-pass follows from the levels below it, almost linearly in decibels. A network that is given
    signed coefficients alone has to learn to square, smooth and take logarithms first.
    """
    power = avg_pool1d(z.float().square(), frames, 1, frames // 2, count_include_pad=False)
    power = avg_pool1d(power.transpose(1, 2), 9, 1, 4, count_include_pad=False).transpose(1, 2)
    return torch.log10(power + 1e-5) / 1.2 + 1


class JaTBlock(nn.Module):
    """Attention and feed-forward, each modulated and gated by the time embedding; both gates start closed."""

    def __init__(self, width: int, heads: int, kv_heads: int, qk_norm: bool) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.attention = Attention(width, heads, kv_heads, qk_norm)
        self.norm_feed_forward = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.feed_forward = nn.Sequential(
            Linear(width, 4 * width), nn.GELU(approximate="tanh"), Linear(4 * width, width)
        )
        self.to_modulation = Linear(width, 6 * width)
        nn.init.zeros_(self.to_modulation.weight)
        nn.init.zeros_(self.to_modulation.bias)

    def forward(self, x: Tensor, embedding: Tensor, table: Tensor) -> Tensor:
        """`x` [b, n, width] guided by `embedding` [b, width]."""
        shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = self.to_modulation(embedding).chunk(6, dim=-1)
        attended = self.attention(modulate(self.norm_attention(x), shift_a, scale_a), table)
        x = x + gate_a[:, None] * attended
        forwarded = self.feed_forward(modulate(self.norm_feed_forward(x), shift_f, scale_f))
        return x + gate_f[:, None] * forwarded


class JaT(Backbone):
    """Diffusion transformer with AdaLN-Zero, grouped-query attention and rotary positions.

    Args:
        latent_dim: channels of z_t and of the prediction.
        condition_dim: channels of the concatenated condition (`Conditioning.concat`).
        width, depth: of the transformer.
        heads, kv_heads: query heads, and the key-value heads that they share.
        head: `linear`, or `gaussian` (see `GaussianHead`).
        prediction: what the head predicts, `velocity` or `data`; must be the objective's.
        prior: what paths start from, `noise` or `low_resolution`; must be the objective's.
        qk_norm: normalise queries and keys.
        levels: also show the network the condition's `log_levels`, smoothed over `level_frames`, of each frame and of
            `level_context` frames on either side of it: where a level rises or falls is where the band above it does.
        global_dim: width of `Conditioning.global_`, which is joined to the time embedding; null leaves it out.

    Raises:
        ConfigError: widths that the heads cannot divide, an even `level_frames`, a negative `level_context`, or an
            unknown head or prediction.
    """

    def __init__(
        self,
        latent_dim: int,
        condition_dim: int,
        width: int,
        depth: int,
        heads: int,
        kv_heads: int,
        head: str = "linear",
        prediction: str = "data",
        prior: str = "noise",
        qk_norm: bool = True,
        levels: bool = False,
        level_frames: int = 3,
        level_context: int = 0,
        global_dim: int | None = None,
    ) -> None:
        super().__init__()
        if head == "gaussian" and condition_dim != latent_dim:
            raise ConfigError(
                f"backbone.head=gaussian adds to the condition, but backbone.condition_dim={condition_dim} "
                f"differs from backbone.latent_dim={latent_dim}; set it to ${{codec.latent_dim}} or "
                "choose backbone.head=linear."
            )
        if min(latent_dim, condition_dim, width, depth, heads, kv_heads) < 1:
            raise ConfigError("backbone: every width, depth and head count must be at least 1.")
        if level_frames < 1 or level_frames % 2 == 0:
            raise ConfigError(f"backbone.level_frames={level_frames} must be odd, so that frames stay in their places.")
        if level_context < 0:
            raise ConfigError(f"backbone.level_context={level_context} must be 0 or more frames.")
        self.level_frames, self.level_context = level_frames, level_context
        self.latent_dim = latent_dim
        self.global_dim = global_dim
        self.to_tokens = Linear(latent_dim + condition_dim, width)
        # Two layers: the blocks' normalisation would take the level out of a linear map of levels.
        self.level_tokens = (
            nn.Sequential(
                Linear((2 * level_context + 1) * condition_dim, 2 * width), nn.SiLU(), Linear(2 * width, width)
            )
            if levels
            else None
        )
        self.time_embedding = TimeEmbedding(width)
        self.global_embedding = (
            nn.Sequential(Linear(global_dim, width), nn.SiLU(), Linear(width, width)) if global_dim else None
        )
        self.blocks = nn.ModuleList(JaTBlock(width, heads, kv_heads, qk_norm) for _ in range(depth))
        self.norm_out = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.to_modulation = Linear(width, 2 * width)
        nn.init.zeros_(self.to_modulation.weight)
        nn.init.zeros_(self.to_modulation.bias)
        self.head = make_head(head, width, latent_dim, prediction, prior)
        self.head_width = width // heads

    def forward(self, z_t: Tensor, t: Tensor, conditioning: Conditioning) -> Prediction:
        """The prediction at `z_t` [b, c, frame] and `t` [b]."""
        assert conditioning.concat is not None  # a conditioner that provides it is checked by SuperResolver
        z_lr = conditioning.concat
        x = self.to_tokens(torch.cat([z_t, z_lr], dim=1).transpose(1, 2))
        if self.level_tokens is not None:
            x = x + self.level_tokens(self._levels(z_lr).transpose(1, 2))
        time = self.time_embedding(t)
        if conditioning.global_ is not None and self.global_embedding is not None:
            time = time + self.global_embedding(conditioning.global_)
        embedding = silu(time)
        table = rotary_table(x.shape[1], self.head_width, x.device)
        for block in self.blocks:
            x = self.through(block, x, embedding, table)
        shift, scale = self.to_modulation(embedding).chunk(2, dim=-1)
        x = modulate(self.norm_out(x), shift, scale)
        return self.head(x, z_t, t, z_lr)

    def _levels(self, z_lr: Tensor) -> Tensor:
        """The levels that each frame is shown, [b, (2 level_context + 1) c, frame]."""
        levels, context = log_levels(z_lr, self.level_frames), self.level_context
        padded = pad(levels, (context, context), mode="replicate") if context else levels
        return torch.cat([padded[..., i : i + levels.shape[-1]] for i in range(2 * context + 1)], dim=1)
