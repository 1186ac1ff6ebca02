"""The MDCT as a codec: no weights, perfect reconstruction, no ceiling on quality."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from saga_sr.codecs.codec import Codec


class MDCT(Codec):
    """Modified discrete cosine transform with a sine window, companded to sign(x) |x|^exponent.

    The transform is orthonormal (Princen & Bradley 1986; Malvar 1992): frames overlap by half, and each has
    `latent_dim` coefficients for as many new samples. Companding makes quiet high frequencies weigh as much as loud
    low ones.

    Args:
        sample_rate: Hz.
        latent_dim: coefficients per frame, which is the hop in samples too.
        exponent: of the companding.
    """

    twiddle_before: Tensor
    twiddle_after: Tensor

    def __init__(self, sample_rate: int = 44_100, latent_dim: int = 512, exponent: float = 0.35) -> None:
        super().__init__(sample_rate, channels=1, latent_dim=latent_dim, hop_length=latent_dim)
        self.exponent = exponent
        n = torch.arange(2 * latent_dim, dtype=torch.float64)
        k = torch.arange(latent_dim, dtype=torch.float64)
        window = torch.sin(math.pi / (2 * latent_dim) * (n + 0.5))
        before = torch.polar(window * math.sqrt(2 / latent_dim), -math.pi / (2 * latent_dim) * n)
        after = torch.polar(torch.ones_like(k), -math.pi / latent_dim * (0.5 + latent_dim / 2) * (k + 0.5))
        self.register_buffer("twiddle_before", before.to(torch.complex64), persistent=False)
        self.register_buffer("twiddle_after", after.to(torch.complex64), persistent=False)
        self.latent_scale.copy_(self._typical_scale()[:, None])

    def _typical_scale(self) -> Tensor:
        """Companded level per bin of programme material at about -20 dBFS, until `fit_statistics` measures it."""
        bin_hz = (torch.arange(self.latent_dim) + 0.5) * self.sample_rate / 2 / self.latent_dim
        return 0.55 * (1 + bin_hz / 400) ** -0.55

    def analyse(self, audio: Tensor) -> Tensor:
        """Companded coefficients [b, latent_dim, ceil(time / hop) + 1] of `audio` [b, 1, time]."""
        hop = self.hop_length
        x = audio[:, 0].float()
        x = pad(x, (hop, hop + -x.shape[-1] % hop))
        frames = x.unfold(-1, 2 * hop, hop)
        spectrum = torch.fft.fft(frames * self.twiddle_before)[..., :hop]
        coefficients = (spectrum * self.twiddle_after).real.transpose(1, 2)
        return coefficients.sign() * coefficients.abs() ** self.exponent

    def synthesise(self, raw: Tensor, length: int) -> Tensor:
        """Audio [b, 1, length] from companded coefficients."""
        coefficients = (raw.sign() * raw.abs() ** (1 / self.exponent)).transpose(1, 2)
        rotated = coefficients * self.twiddle_after.conj()
        # The inverse is the transpose: the real part of the conjugate sum, windowed, overlapped and added.
        frames = torch.fft.ifft(rotated, n=2 * self.hop_length, norm="forward")
        frames = (frames * self.twiddle_before.conj()).real
        first, second = frames.chunk(2, dim=-1)
        overlapped = second[:, :-1] + first[:, 1:]
        return overlapped.flatten(1)[:, None, :length]
