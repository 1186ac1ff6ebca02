"""Random numbers of a batch: from one generator, or each example's from a generator of its own.

With a generator for each example, what an example is given does not depend on the batch or the process that it is in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# None is PyTorch's global generator.
Generators = torch.Generator | Sequence[torch.Generator] | None


def normal(shape: Sequence[int], generators: Generators = None, device: torch.device | str = "cpu") -> Tensor:
    """Standard normal numbers of `shape`, whose first axis is the example."""
    if isinstance(generators, Sequence):
        return torch.stack([torch.randn(tuple(shape[1:]), generator=g, device=device) for g in generators])
    return torch.randn(tuple(shape), generator=generators, device=device)


def uniform(shape: Sequence[int], generators: Generators = None, device: torch.device | str = "cpu") -> Tensor:
    """Uniform numbers in [0, 1) of `shape`, whose first axis is the example."""
    if isinstance(generators, Sequence):
        return torch.stack([torch.rand(tuple(shape[1:]), generator=g, device=device) for g in generators])
    return torch.rand(tuple(shape), generator=generators, device=device)


def seeded(seeds: Sequence[int], device: torch.device | str = "cpu") -> list[torch.Generator]:
    """A generator for each of `seeds`."""
    return [torch.Generator(device).manual_seed(seed) for seed in seeds]


def numpy_generators(count: int, generators: Generators = None) -> list[np.random.Generator]:
    """A generator of NumPy's for each of `count` examples, seeded by a draw from its own of the CPU `generators`."""
    return [np.random.default_rng(seed) for seed in (uniform([count, 2], generators) * 2**24).long().tolist()]
