"""What latents are like: sums over clips that can be merged in any number of steps without losing precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ChannelSums:
    """Count of frames, mean and sum of squared deviations [latent_dim] of each channel, in float64.

    Two of them are added as Chan, Golub & LeVeque (1979) do: unlike a difference of large sums, the variance of a
    channel with a large mean stays exact over any number of frames.
    """

    count: int
    mean: Tensor
    squares: Tensor

    @classmethod
    def none(cls, latent_dim: int) -> ChannelSums:
        """Those of no frames."""
        return cls(0, *(torch.zeros(latent_dim, dtype=torch.float64) for _ in range(2)))

    @classmethod
    def of(cls, raw: Tensor) -> ChannelSums:
        """Those of raw latents [b, latent_dim, frame]."""
        count = raw.shape[0] * raw.shape[2]
        variance, mean = torch.var_mean(raw.cpu().double(), dim=(0, 2), correction=0)
        return cls(count, mean, variance * count)

    def __add__(self, other: ChannelSums) -> ChannelSums:
        count = self.count + other.count
        if not count:
            return self
        difference, share = other.mean - self.mean, other.count / count
        squares = self.squares + other.squares + difference.square() * (self.count * share)
        return ChannelSums(count, self.mean + difference * share, squares)

    def mean_and_deviation(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation [latent_dim] of each channel; zeros of no frames."""
        return self.mean, (self.squares / max(self.count, 1)).sqrt()
