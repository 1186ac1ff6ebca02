"""The protocol of a backbone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from saga_sr.conditioning import Conditioning


class Prediction(NamedTuple):
    """What a backbone says at (z_t, t).

    Attributes:
        value: [b, c, frame], velocity or data.
        variance: [b, c, frame], how uncertain the data estimate is, from heads that say so, in units of the noise that
            paths start with.
    """

    value: Tensor
    variance: Tensor | None = None


class Backbone(nn.Module, ABC):
    """A network `(z_t, t, conditioning) -> Prediction`. Every one reads `Conditioning.concat`.

    Attributes:
        latent_dim: channels of z_t and of the prediction.
        cross_attention_dim, global_dim: widths of the parts of a `Conditioning` that it reads beside; None where it
            reads none.
        checkpointing: whether training computes a block again for its gradient instead of keeping all that is within
            (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016).
    """

    latent_dim: int
    cross_attention_dim: int | None = None
    global_dim: int | None = None
    checkpointing = False

    @abstractmethod
    def forward(self, z_t: Tensor, t: Tensor, conditioning: Conditioning) -> Prediction:
        """The prediction at `z_t` [b, c, frame] and `t` [b]."""

    def through(self, block: nn.Module, *given: Any) -> Tensor:
        """What a `block` makes of what it is `given`."""
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(block, *given, use_reentrant=False)
        return block(*given)

    def prepare(self, conditioning: Conditioning) -> Conditioning:
        """What of `conditioning` stays the same in all steps of sampling, computed once."""
        return conditioning
