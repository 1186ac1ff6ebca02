"""The protocol of a conditioner."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from saga_sr.conditioning.types import Conditioning
from saga_sr.draws import Generators


class Conditioner(nn.Module, ABC):
    """Makes the `Conditioning` of a batch.

    Attributes:
        provides: the parts of the `Conditioning` that it fills.
    """

    provides: frozenset[str]

    @abstractmethod
    def forward(self, z_lr: Tensor, generators: Generators = None) -> Conditioning:
        """Condition on `z_lr` [b, c, frame]; in training mode `generators` draw dropout and noise."""
