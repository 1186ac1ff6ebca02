"""Starting noise by position, so that a file's result depends on its seed and not on how it was cut."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

BLOCK = 256


class PositionalNoise:
    """Standard normal noise for any stretch of endless latents, one for each component; equal frames get equal noise.

    Overlapping chunks thus start from the same noise where they overlap, and their results fit together. So it is with
    each further `draw`, for samplers that draw noise in their steps.
    """

    def __init__(self, latent_dim: int, seed: int) -> None:
        self.latent_dim = latent_dim
        self.seed = seed

    def __call__(self, component: int, first: int, count: int, draw: int = 0) -> Tensor:
        """Noise [latent_dim, count] of the frames from `first` on."""
        blocks = range(first // BLOCK, (first + count - 1) // BLOCK + 1)
        noise = torch.cat([self._block(component, i, draw) for i in blocks], dim=1)
        return noise[:, first - blocks.start * BLOCK :][:, :count]

    def _block(self, component: int, i: int, draw: int) -> Tensor:
        seed = np.random.SeedSequence([self.seed, component, i, draw]).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(seed) >> 1)
        return torch.randn(self.latent_dim, BLOCK, generator=generator)
