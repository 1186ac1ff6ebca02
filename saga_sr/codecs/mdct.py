"""The MDCT as a codec: no weights, perfect reconstruction, no ceiling on quality."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from saga_sr.codecs.codec import Codec
from saga_sr.core.errors import ConfigError


class MDCT(Codec):
    """Modified discrete cosine transform with a sine window, companded to sign(x) |x|^exponent.

    The transform is orthonormal (Princen & Bradley 1986; Malvar 1992): frames overlap by half, and each has
    `latent_dim` coefficients for as many new samples. Companding makes quiet high frequencies weigh as much as loud
    low ones.

    Args:
        sample_rate: Hz.
        latent_dim: coefficients per frame, which is the hop in samples too.
        exponent: of the companding.

    Raises:
        ConfigError: an odd `latent_dim`.
    """

    window: Tensor
    twiddle: Tensor

    def __init__(self, sample_rate: int = 44_100, latent_dim: int = 512, exponent: float = 0.35) -> None:
        if latent_dim < 2 or latent_dim % 2:
            raise ConfigError(f"codec.latent_dim={latent_dim} is not possible; the MDCT needs an even number.")
        super().__init__(sample_rate, channels=1, latent_dim=latent_dim, hop_length=latent_dim)
        self.exponent = exponent
        n = torch.arange(2 * latent_dim, dtype=torch.float64)
        window = torch.sin(math.pi / (2 * latent_dim) * (n + 0.5)).float()
        angle = -math.pi / latent_dim * (n[: latent_dim // 2] + 1 / 8)
        twiddle = torch.polar(torch.full_like(angle, (2 / latent_dim) ** 0.25), angle).to(torch.complex64)
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("twiddle", twiddle, persistent=False)
        self.latent_scale.copy_(self._typical_scale()[:, None])

    def _typical_scale(self) -> Tensor:
        """Companded level per bin of programme material at about -20 dBFS, until `fit_statistics` measures it."""
        bin_hz = (torch.arange(self.latent_dim) + 0.5) * self.sample_rate / 2 / self.latent_dim
        return 0.55 * (1 + bin_hz / 400) ** -0.55

    def channels_below(self, edge_hz: Tensor) -> Tensor:
        """Which coefficients lie up to `edge_hz` [b], bool [b, latent_dim, 1]."""
        upper = (torch.arange(self.latent_dim, device=edge_hz.device) + 1) * self.sample_rate / 2 / self.latent_dim
        return (upper <= edge_hz[:, None])[..., None]

    def analyse(self, audio: Tensor) -> Tensor:
        """Companded coefficients [b, latent_dim, ceil(time / hop) + 1] of `audio` [b, 1, time]."""
        hop = self.hop_length
        x = audio[:, 0].float()
        blocks = pad(x, (hop, hop + -x.shape[-1] % hop)).unflatten(-1, (-1, hop))
        rise, fall = self.window.chunk(2)
        a, b = (blocks[:, :-1] * rise).chunk(2, dim=-1)
        c, d = (blocks[:, 1:] * fall).chunk(2, dim=-1)
        folded = torch.cat([-c.flip(-1) - d, a - b.flip(-1)], dim=-1)
        coefficients = self._dct4(folded).transpose(1, 2).contiguous()
        return coefficients.sign() * coefficients.abs() ** self.exponent

    def synthesise(self, raw: Tensor, length: int) -> Tensor:
        """Audio [b, 1, length] from companded coefficients."""
        coefficients = (raw.sign() * raw.abs() ** (1 / self.exponent)).transpose(1, 2)
        p, q = self._dct4(coefficients).chunk(2, dim=-1)
        rise, fall = self.window.chunk(2)
        first = torch.cat([q, -q.flip(-1)], dim=-1) * rise
        second = torch.cat([-p.flip(-1), -p], dim=-1) * fall
        overlapped = second[:, :-1] + first[:, 1:]
        return overlapped.flatten(1)[:, None, :length]

    def _dct4(self, x: Tensor) -> Tensor:
        """Orthonormal DCT-IV of the last dimension, its own inverse, by a complex FFT of a quarter of the window."""
        z = torch.complex(x[..., ::2], x[..., 1::2].flip(-1)) * self.twiddle
        z = torch.fft.fft(z) * self.twiddle
        return torch.stack([z.real, -z.imag.flip(-1)], dim=-1).flatten(-2)
