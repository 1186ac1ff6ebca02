"""The low-resolution latent as condition: joined to z_t on the channels."""

from __future__ import annotations

from torch import Tensor

from saga_sr.conditioning.conditioner import Conditioner
from saga_sr.conditioning.types import Conditioning
from saga_sr.draws import Generators, normal, uniform
from saga_sr.errors import ConfigError


class AcousticConditioner(Conditioner):
    """Makes the `Conditioning` that holds z_lr, with dropout and noise while training.

    Args:
        dropout: share of training examples whose z_lr is replaced by `null_value`, for classifier-free guidance.
        noise: standard deviation of the Gaussian noise added to z_lr in training (latents have unit variance).
        null_value: the constant that stands for a dropped z_lr.

    Raises:
        ConfigError: `dropout` is not a probability.
    """

    provides = frozenset({"concat"})

    def __init__(self, dropout: float = 0.1, noise: float = 0.0, null_value: float = 0.0) -> None:
        super().__init__()
        if not 0 <= dropout <= 1:
            raise ConfigError(f"conditioning.dropout={dropout} is not a probability; give a value from 0 to 1.")
        self.dropout = dropout
        self.noise = noise
        self.null_value = null_value

    def forward(self, z_lr: Tensor, generators: Generators = None) -> Conditioning:
        """Condition on `z_lr` [b, c, frame]; `generators` draw dropout and noise in training mode."""
        if not self.training:
            return Conditioning(concat=z_lr, concat_null=self.null_value)
        if self.noise:
            z_lr = z_lr + self.noise * normal(z_lr.shape, generators, z_lr.device)
        rows = uniform([len(z_lr)], generators, z_lr.device) < self.dropout
        return Conditioning(concat=z_lr, concat_null=self.null_value).drop({"acoustic"}, rows)
