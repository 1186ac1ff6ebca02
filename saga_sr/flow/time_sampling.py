"""Where along the path a training example is placed: distributions of t in (0, 1)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from saga_sr.core import random_numbers
from saga_sr.core.random_numbers import Generators

TimeDistribution = Callable[[int, Generators, torch.device], Tensor]


def uniform(n: int, generators: Generators, device: torch.device) -> Tensor:
    """Draw `n` times uniformly from [0, 1); shape [n]."""
    return random_numbers.uniform([n], generators, device)


def logit_normal(mean: float, std: float) -> TimeDistribution:
    """Times whose logit is normal: sigmoid(mean + std * e), e ~ N(0, 1).

    Source: Esser et al., "Scaling Rectified Flow Transformers" (2024), section 3.1.
    """

    def draw(n: int, generators: Generators, device: torch.device) -> Tensor:
        return torch.sigmoid(mean + std * random_numbers.normal([n], generators, device))

    return draw
