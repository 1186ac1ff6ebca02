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
    says how far to trust z_t, and the closed form does the copying. With q = 1 / (t^2 + (1 - t)^2 / sigma^2) and
    r = z_t - t mu,

        E[z | z_t] = mu + t q r,    E[z - noise | z_t] = mu + (t - (1 - t) / sigma^2) q r,
        Var[z | z_t] = (1 - t)^2 q.

    For the same reason mu is a share of z_lr plus what the network adds: mu = gate z_lr + m. What the network gives
    (m, log sigma, gate - 1) starts at zero. Paths that start at z_lr are the same of z - z_lr, with sigma and the
    variance in units of their noise (see `Start` in `saga_sr/flow/prior.py`).

    Args:
        width: of the tokens.
        latent_dim: channels of z_t and of z_lr.
        prediction: `velocity` or `data`.
        prior: what paths start from, `noise` or `low_resolution`.

    Raises:
        ConfigError: an unknown prediction.
    """

    def __init__(self, width: int, latent_dim: int, prediction: str, prior: str = "noise") -> None:
        super().__init__()
        if prediction not in ("velocity", "data"):
            raise ConfigError(f"backbone.prediction={prediction!r} is not known; choose velocity or data.")
        self.prediction = prediction
        self.from_z_lr = prior == "low_resolution"
        self.to_moments = _zeroed(Linear(width, 3 * latent_dim))

    def forward(self, tokens: Tensor, z_t: Tensor, t: Tensor, z_lr: Tensor) -> Prediction:
        """The prediction of `tokens` [b, frame, width] at `z_t`, `z_lr` [b, c, frame] and `t` [b]."""
        moments = self.to_moments(tokens).transpose(1, 2)
        # Outside autocast: the closed form subtracts nearly equal numbers as t approaches 1.
        with torch.autocast(tokens.device.type, enabled=False):
            whole = moments.to(torch.float32, memory_format=torch.contiguous_format)
            return self._posterior(whole, z_t.float(), t.float()[:, None, None], z_lr.float())

    def _posterior(self, moments: Tensor, z_t: Tensor, t: Tensor, z_lr: Tensor) -> Prediction:
        mean, log_sigma, gate = moments.chunk(3, dim=1)
        if not self.from_z_lr:
            return gaussian_posterior(torch.addcmul(mean + z_lr, gate, z_lr), log_sigma, z_t, t, self.prediction)
        mu = torch.addcmul(mean, gate, z_lr)
        beyond = gaussian_posterior(mu, log_sigma, z_t - z_lr, t, self.prediction)
        return Prediction(beyond.value + z_lr, beyond.variance) if self.prediction == "data" else beyond


def gaussian_posterior(mu: Tensor, log_sigma: Tensor, z_t: Tensor, t: Tensor, prediction: str) -> Prediction:
    """What `GaussianHead` says, of the moments [b, c, frame] of z at `z_t` and `t` [b, 1, 1]."""
    # These tensors are large: one quotient, and products that are added in the same pass. sigma within e^-5 and e^3:
    # latents have unit variance, and the quotient must not vanish at t = 1.
    precision = torch.exp(-2 * log_sigma.clamp(-5, 3))
    q = torch.reciprocal(precision * (1 - t) ** 2 + t**2)
    gain = t * q if prediction == "data" else (t - (1 - t) * precision) * q
    return Prediction(torch.addcmul(mu, gain, z_t - t * mu), (1 - t) ** 2 * q)


HEADS = ("linear", "gaussian")


def make_head(name: str, width: int, latent_dim: int, prediction: str, prior: str) -> LinearHead | GaussianHead:
    """The head called `name`.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in HEADS:
        raise ConfigError(f"backbone.head={name!r} is not known; choose one of {', '.join(HEADS)}.")
    return LinearHead(width, latent_dim) if name == "linear" else GaussianHead(width, latent_dim, prediction, prior)
