"""Starting noise by position, so that a file's result depends on its seed and not on how it was cut."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 256


class PositionalNoise:
    """Standard normal noise for any stretch of an endless latent; equal frames get equal noise.

    Overlapping chunks thus start from the same noise where they overlap, and their results fit together.
    """

    def __init__(self, latent_dim: int, seed: int) -> None:
        self.latent_dim = latent_dim
        self.seed = seed

    def __call__(self, first: int, count: int) -> Tensor:
        """Noise [latent_dim, count] of the frames from `first` on."""
        blocks = range(first // BLOCK, (first + count - 1) // BLOCK + 1)
        noise = torch.cat([self._block(i) for i in blocks], dim=1)
        return noise[:, first - blocks.start * BLOCK :][:, :count]

    def _block(self, i: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + i)
        return torch.randn(self.latent_dim, BLOCK, generator=generator)
