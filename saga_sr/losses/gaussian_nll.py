"""Negative log-likelihood of the data under the Gaussian posterior that the network states."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saga_sr.core.errors import ConfigError
from saga_sr.flow.objective import Estimate


class GaussianNLL(nn.Module):
    """-log N(z; E[z | z_t], Var[z | z_t]), mean over coefficients, without its constant.

    A proper score: its optimum has the same data estimate as the squared error (Gneiting & Raftery, "Strictly Proper
    Scoring Rules", 2007, section 4.1), but a coefficient weighs by how well it can be known and not by how loud it is,
    so that quiet frames and high bands are learned as soon as loud ones.

    Args:
        min_std: added to the stated deviation, so that coefficients known from the input do not outweigh all others.
    """

    def __init__(self, min_std: float = 0.05) -> None:
        super().__init__()
        self.min_variance = min_std**2

    def forward(self, estimate: Estimate) -> dict[str, Tensor]:
        """The named term of the loss of `estimate`.

        Raises:
            ConfigError: the network states no variance.
        """
        if estimate.variance is None:
            raise ConfigError(
                "loss=gaussian_nll needs a network that states its variance, and no distillation; add "
                "backbone.head=gaussian, or loss=mse."
            )
        variance = estimate.variance + self.min_variance
        error = (estimate.data - estimate.target_data).square()
        return {"gaussian_nll": 0.5 * torch.addcmul(variance.log(), error, variance.reciprocal()).mean()}
