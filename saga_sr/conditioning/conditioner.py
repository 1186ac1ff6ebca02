"""The protocol of a conditioner."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from saga_sr.conditioning.types import Conditioning


class Conditioner(nn.Module, ABC):
    """Makes the `Conditioning` of a batch.

    Attributes:
        provides: the parts of the `Conditioning` that it fills.
    """

    provides: frozenset[str]

    @abstractmethod
    def forward(self, z_lr: Tensor, generator: torch.Generator | None = None) -> Conditioning:
        """Condition on `z_lr` [b, c, frame]; in training mode `generator` draws dropout and noise."""
