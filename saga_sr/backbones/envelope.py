"""A network that predicts the spectral envelope above the cutoff, for latents that are a spectrum.

What lies above a low-pass follows from the levels below it, almost linearly in decibels, and most of its error is one
of level. So all is said relative to the level that the low band ends with: the network is given differences from it,
and says differences from it. A recording that is louder in any moment is restored louder then, by construction.

Sources: bandwidth extension began with extrapolated envelopes (Makhoul & Berouti, "High-Frequency Regeneration in
Speech Coding Systems", 1979; Jax & Vary, "On Artificial Bandwidth Extension of Telephone Speech", 2003); the blocks are
ConvNeXt's (Liu et al., "A ConvNet for the 2020s", 2022), as in Vocos.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, gelu

from saga_sr.backbones.backbone import Backbone, Prediction
from saga_sr.backbones.heads import gaussian_posterior
from saga_sr.backbones.layers import Linear
from saga_sr.conditioning import Conditioning
from saga_sr.core.errors import ConfigError

# Channels of the narrowest band, growth of the others, and how many of the widest make the spectrum.
NARROWEST, GROWTH, WIDEST = 4, 0.06, 44
# Between which shares of the low band its end is: above, filters have begun to fall, and what is there is made anew.
END = (0.72, 0.92)
# Power that is as good as none, relative to the end of the low band, and in itself.
NOTHING, SILENCE = 1e-6, 1e-12
# What is one unit of log power to the network.
UNIT = 0.75
# Levels are relative to this many units at most, and so are those that the network says.
WITHIN = 4.0
# Log deviation of what is known from the recording: as good as exact.
KNOWN = -5.0
DILATIONS = (1, 2, 4)
LN_10 = math.log(10)
# Frames that a moment's level is compared with.
AROUND = 43


def band_edges(channels: int) -> list[int]:
    """First channel of each band, and the end of the last: bands widen with frequency, as hearing's do."""
    edges = [0]
    while edges[-1] < channels:
        width = min(max(NARROWEST, round(GROWTH * edges[-1])), max(channels // WIDEST, NARROWEST))
        edges.append(edges[-1] + width)
    edges[-1] = channels
    return edges


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution in time, then a feed-forward."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        padding = kernel // 2 * dilation
        self.depthwise = nn.Conv1d(width, width, kernel, padding=padding, dilation=dilation, groups=width)
        self.norm = nn.LayerNorm(width)
        self.rise, self.fall = Linear(width, 3 * width), Linear(3 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """`x` [b, width, frame]."""
        hidden = gelu(self.rise(self.norm(self.depthwise(x).transpose(1, 2))))
        return x + self.fall(self.dropout(hidden)).transpose(1, 2)


class EnvelopeNet(Backbone):
    """Gaussian coefficients above the cutoff, of levels that convolutions over frames predict band by band.

    Where z_lr is nothing in all of a clip, and just below, z ~ N(0, sigma^2) with sigma between bands interpolated in
    decibels; elsewhere z is z_lr. Noise becomes data in closed form (see `GaussianHead`), so one step of sampling does.

    Args:
        latent_dim: channels of z_t and of the prediction, from low to high frequencies.
        width, depth: of the blocks.
        kernel: frames that a block's convolution reaches over, odd; dilated by 1, 2 and 4 in turn.
        dropout: share of what each block's feed-forward, and the last layer, are not shown in training.
        prediction: `velocity` or `data`; must be the objective's.
        prior: what paths start from; must be the objective's, and `noise`.

    Raises:
        ConfigError: an even `kernel`, an unknown prediction, or another prior.
    """

    to_bands: Tensor
    to_channels: Tensor

    def __init__(
        self,
        latent_dim: int,
        width: int = 256,
        depth: int = 6,
        kernel: int = 7,
        dropout: float = 0.0,
        prediction: str = "data",
        prior: str = "noise",
    ) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ConfigError(f"backbone.kernel={kernel} must be odd, so that frames stay in their places.")
        if prediction not in ("velocity", "data"):
            raise ConfigError(f"backbone.prediction={prediction!r} is not known; choose velocity or data.")
        if prior != "noise":
            raise ConfigError(
                f"backbone=envelope makes all above the cutoff of noise; leave out objective.prior={prior}."
            )
        self.latent_dim, self.prediction = latent_dim, prediction
        edges = band_edges(latent_dim)
        bands = len(edges) - 1
        self.register_buffer("to_bands", _averages(edges), persistent=False)
        self.register_buffer("to_channels", _interpolation(edges), persistent=False)
        shown = 3 * bands + 1
        self.into = nn.Conv1d(shown, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(width, kernel, DILATIONS[i % len(DILATIONS)], dropout) for i in range(depth)
        )
        self.dropout = nn.Dropout(dropout)
        self.out = Linear(width, bands)
        self.direct = Linear(shown, bands)
        for layer in (self.out, self.direct):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, z_t: Tensor, t: Tensor, conditioning: Conditioning) -> Prediction:
        """The prediction at `z_t` [b, c, frame] and `t` [b]."""
        assert conditioning.concat is not None  # a conditioner that provides it is checked by SuperResolver
        z_lr = conditioning.concat.float()
        position = torch.arange(self.latent_dim, device=z_lr.device)[:, None]
        top = ((z_lr != 0).any(dim=2, keepdim=True) * (position + 1)).amax(dim=1, keepdim=True)
        known = position < END[1] * top
        with torch.autocast(z_lr.device.type, enabled=False):
            shown, end = self._shown(z_lr, known, known & (position >= END[0] * top - 1))
        x = self.into(shown)
        for block in self.blocks:
            x = self.through(block, x)
        levels = self.out(self.dropout(x.transpose(1, 2))) + self.direct(shown.transpose(1, 2))
        with torch.autocast(z_lr.device.type, enabled=False):
            log_power = UNIT * WITHIN * torch.tanh(levels.float().transpose(1, 2) / WITHIN) + end
            log_sigma = 0.5 * LN_10 * self.to_channels @ log_power
            log_sigma = torch.where(known, KNOWN, log_sigma)
            return gaussian_posterior(z_lr * known, log_sigma, z_t.float(), t.float()[:, None, None], self.prediction)

    def _shown(self, z_lr: Tensor, known: Tensor, near: Tensor) -> tuple[Tensor, Tensor]:
        """What the network sees [b, 3 band + 1, frame], and the log power that the low band ends with [b, 1, frame].

        The low band is what is `known`, its end what is `near`, both bool [b, c, 1].
        """
        power = z_lr.square()
        end = (power * near).sum(dim=1, keepdim=True) / near.sum(dim=1, keepdim=True).clamp(min=1)
        end = avg_pool1d(end, 3, 1, 1, count_include_pad=False).clamp(min=SILENCE)
        power = power / end + NOTHING
        level = (self.to_bands @ power).log10()
        flatness = self.to_bands @ power.log10() - level
        # Of bands that are wholly known.
        whole = (self.to_bands @ known.float() > 0.999).float()
        relative = (level / UNIT).clamp(-WITHIN, WITHIN) * whole
        noisiness = (2 * flatness + 1).clamp(-3, 3) * whole
        end = end.log10()
        around = avg_pool1d(end, AROUND, 1, AROUND // 2, count_include_pad=False)
        swell = ((end - around) / UNIT).clamp(-WITHIN, WITHIN)
        return torch.cat([relative, noisiness, whole.expand_as(level), swell], dim=1), end


def _averages(edges: list[int]) -> Tensor:
    """Means over bands, [band, channel]."""
    matrix = torch.zeros(len(edges) - 1, edges[-1])
    for band, (first, end) in enumerate(pairwise(edges)):
        matrix[band, first:end] = 1 / (end - first)
    return matrix


def _interpolation(edges: list[int]) -> Tensor:
    """Linear interpolation from the middles of bands to channels, [channel, band]."""
    first = torch.tensor(edges, dtype=torch.float32)
    middles = (first[:-1] + first[1:]) / 2
    channel = torch.arange(edges[-1]) + 0.5
    upper = torch.searchsorted(middles, channel).clamp(1, len(middles) - 1)
    share = ((channel - middles[upper - 1]) / (middles[upper] - middles[upper - 1])).clamp(0, 1)
    matrix = torch.zeros(edges[-1], len(middles))
    rows = torch.arange(edges[-1])
    matrix[rows, upper - 1] = 1 - share
    matrix[rows, upper] = share
    return matrix
