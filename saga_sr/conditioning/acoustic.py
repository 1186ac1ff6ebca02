"""The low-resolution latent as condition: joined to z_t on the channels."""

from __future__ import annotations

from torch import Tensor

from saga_sr.conditioning.dropout import probability
from saga_sr.core.random_numbers import Generators, normal


class AcousticCondition:
    """z_lr, with noise while training.

    Args:
        dropout: share of training examples whose z_lr is replaced by `null_value`, for classifier-free guidance.
        noise: standard deviation of the Gaussian noise added to z_lr in training (latents have unit variance).
        null_value: the constant that stands for a dropped z_lr: 0, or -5 in the official code of SAGA-SR.

    Raises:
        ConfigError: `dropout` is not a probability.
    """

    def __init__(self, dropout: float = 0.1, noise: float = 0.0, null_value: float = 0.0) -> None:
        self.dropout = probability("acoustic", dropout)
        self.noise = noise
        self.null_value = null_value

    def disturbed(self, z_lr: Tensor, generators: Generators) -> Tensor:
        """`z_lr` [b, c, frame] as training shows it."""
        return z_lr + self.noise * normal(z_lr.shape, generators, z_lr.device) if self.noise else z_lr
