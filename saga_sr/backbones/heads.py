"""Output heads: from a transformer's tokens to the prediction at (z_t, t)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saga_sr.backbones.backbone import Prediction
from saga_sr.backbones.layers import Linear
from saga_sr.core.errors import ConfigError


def _zeroed(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class LinearHead(nn.Module):
    """The plain output layer, starting at zero."""

    def __init__(self, width: int, latent_dim: int) -> None:
        super().__init__()
        self.to_latent = _zeroed(Linear(width, latent_dim))

    def forward(self, tokens: Tensor, z_t: Tensor, t: Tensor, z_lr: Tensor) -> Prediction:
        """The prediction of `tokens` [b, frame, width]."""
        # Outside autocast: bfloat16 would leave 48 dB between a coefficient and its rounding.
        with torch.autocast(tokens.device.type, enabled=False):
            return Prediction(self.to_latent(tokens.float()).transpose(1, 2))


class GaussianHead(nn.Module):
    """The posterior of z given z_t when z ~ N(mu, sigma^2), with mu and sigma predicted per coefficient.

    A network narrower than its latent cannot copy noise-like coefficients to its output. Here it does not have to: it
    says how far to trust z_t, and the closed form does the copying. With D = (sigma t)^2 + (1 - t)^2 and
    r = z_t - t mu,

        E[z | z_t] = mu + sigma^2 t r / D,    E[z - noise | z_t] = mu + (sigma^2 t - (1 - t)) r / D,
        Var[z | z_t] = sigma^2 (1 - t)^2 / D.

    For the same reason mu is a share of z_lr plus what the network adds: mu = gate z_lr + m. What the network gives
    (m, log sigma, gate - 1) starts at zero.

    Args:
        width: of the tokens.
        latent_dim: channels of z_t and of z_lr.
        prediction: `velocity` or `data`.

    Raises:
        ConfigError: an unknown prediction.
    """

    def __init__(self, width: int, latent_dim: int, prediction: str) -> None:
        super().__init__()
        if prediction not in ("velocity", "data"):
            raise ConfigError(f"backbone.prediction={prediction!r} is not known; choose velocity or data.")
        self.prediction = prediction
        self.to_moments = _zeroed(Linear(width, 3 * latent_dim))

    def forward(self, tokens: Tensor, z_t: Tensor, t: Tensor, z_lr: Tensor) -> Prediction:
        """The prediction of `tokens` [b, frame, width] at `z_t`, `z_lr` [b, c, frame] and `t` [b]."""
        moments = self.to_moments(tokens).transpose(1, 2)
        # Outside autocast: the closed form subtracts nearly equal numbers as t approaches 1.
        with torch.autocast(tokens.device.type, enabled=False):
            return self._posterior(moments.float().contiguous(), z_t.float(), t.float()[:, None, None], z_lr.float())

    def _posterior(self, moments: Tensor, z_t: Tensor, t: Tensor, z_lr: Tensor) -> Prediction:
        mean, log_sigma, gate = moments.chunk(3, dim=1)
        mu = mean + (1 + gate) * z_lr
        # sigma within e^-5 and e^3: latents have unit variance, and D must not vanish at t = 1.
        variance = torch.exp(2 * log_sigma.clamp(-5, 3))
        total = variance * t**2 + (1 - t) ** 2
        gain = variance * t if self.prediction == "data" else variance * t - (1 - t)
        return Prediction(mu + gain * (z_t - t * mu) / total, variance * (1 - t) ** 2 / total)


HEADS = ("linear", "gaussian")


def make_head(name: str, width: int, latent_dim: int, prediction: str) -> LinearHead | GaussianHead:
    """The head called `name`.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in HEADS:
        raise ConfigError(f"backbone.head={name!r} is not known; choose one of {', '.join(HEADS)}.")
    return LinearHead(width, latent_dim) if name == "linear" else GaussianHead(width, latent_dim, prediction)
