"""Output heads: from a transformer's tokens to the prediction at (z_t, t)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saga_sr.errors import ConfigError


class LinearHead(nn.Module):
    """The plain output layer, starting at zero."""

    def __init__(self, width: int, latent_dim: int) -> None:
        super().__init__()
        self.to_latent = nn.Linear(width, latent_dim)
        nn.init.zeros_(self.to_latent.weight)
        nn.init.zeros_(self.to_latent.bias)

    def forward(self, tokens: Tensor, z_t: Tensor, t: Tensor) -> Tensor:
        """The prediction [b, c, frame] of `tokens` [b, frame, width]."""
        return self.to_latent(tokens).transpose(1, 2)


class GaussianHead(nn.Module):
    """The posterior mean of z given z_t when z ~ N(mu, sigma^2), with mu and sigma predicted per coefficient.

    A network narrower than its latent cannot copy noise-like coefficients of z_t to its output. Here it does not have
    to: it says how far to trust z_t, and the closed form does the copying. With D = (sigma t)^2 + (1 - t)^2 and
    r = z_t - t mu,

        E[z | z_t] = mu + sigma^2 t r / D,    E[z - noise | z_t] = mu + (sigma^2 t - (1 - t)) r / D.

    mu and log sigma start at zero.

    Raises:
        ConfigError: an unknown prediction.
    """

    def __init__(self, width: int, latent_dim: int, prediction: str) -> None:
        super().__init__()
        if prediction not in ("velocity", "data"):
            raise ConfigError(f"backbone.prediction={prediction!r} is not known; choose velocity or data.")
        self.prediction = prediction
        self.to_moments = nn.Linear(width, 2 * latent_dim)
        nn.init.zeros_(self.to_moments.weight)
        nn.init.zeros_(self.to_moments.bias)

    def forward(self, tokens: Tensor, z_t: Tensor, t: Tensor) -> Tensor:
        """The prediction [b, c, frame] of `tokens` [b, frame, width] at `z_t` [b, c, frame] and `t` [b]."""
        mu, log_sigma = self.to_moments(tokens).transpose(1, 2).chunk(2, dim=1)
        # sigma within e^-5 and e^3: latents have unit variance, and D must not vanish at t = 1.
        variance = torch.exp(2 * log_sigma.clamp(-5, 3))
        t = t[:, None, None]
        surprise = (z_t - t * mu) / (variance * t**2 + (1 - t) ** 2)
        gain = variance * t if self.prediction == "data" else variance * t - (1 - t)
        return mu + gain * surprise


HEADS = ("linear", "gaussian")


def make_head(name: str, width: int, latent_dim: int, prediction: str) -> LinearHead | GaussianHead:
    """The head called `name`.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in HEADS:
        raise ConfigError(f"backbone.head={name!r} is not known; choose one of {', '.join(HEADS)}.")
    return LinearHead(width, latent_dim) if name == "linear" else GaussianHead(width, latent_dim, prediction)
