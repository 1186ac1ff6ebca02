"""Where along the path a training example is placed: distributions of t in (0, 1)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

TimeDistribution = Callable[[int, "torch.Generator | None", torch.device], Tensor]


def uniform(n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
    """Draw `n` times uniformly from [0, 1); shape [n]."""
    return torch.rand(n, generator=generator, device=device)


def logit_normal(mean: float, std: float) -> TimeDistribution:
    """Times whose logit is normal: sigmoid(mean + std * e), e ~ N(0, 1).

    Source: Esser et al., "Scaling Rectified Flow Transformers" (2024), section 3.1.
    """

    def draw(n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        return torch.sigmoid(mean + std * torch.randn(n, generator=generator, device=device))

    return draw
