"""The low-resolution latent as condition: joined to z_t on the channels."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from saga_sr.conditioning.condition import Condition, Embedding, probability
from saga_sr.core.random_numbers import Generators, normal


class AcousticCondition(Condition):
    """z_lr, with noise while training.

    Args:
        dropout: share of training examples whose z_lr is replaced by `null_value`, for classifier-free guidance.
        noise: standard deviation of the Gaussian noise added to z_lr in training (latents have unit variance).
        null_value: the constant that stands for a dropped z_lr: 0, or -5 in the official code of SAGA-SR.

    Raises:
        ConfigError: `dropout` is not a probability.
    """

    def __init__(self, dropout: float = 0.1, noise: float = 0.0, null_value: float = 0.0) -> None:
        super().__init__()
        self.dropout = probability("acoustic", dropout)
        self.noise = noise
        self.null_value = null_value

    def forward(self, value: Any) -> Embedding:
        """Nothing: all of it is in the channels."""
        return Embedding()

    def channels(self, z_lr: Tensor, generators: Generators = None) -> Tensor:
        """`z_lr` [b, c, frame], disturbed in training mode."""
        if self.training and self.noise:
            return z_lr + self.noise * normal(z_lr.shape, generators, z_lr.device)
        return z_lr
