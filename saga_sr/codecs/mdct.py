"""The MDCT as a codec: no weights, perfect reconstruction, no ceiling on quality."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad

from saga_sr.codecs.codec import Codec
from saga_sr.core.errors import ConfigError

# What is copied ends at this share of the cutoff, where filters have not begun to fall.
FULL_SHARE = 0.94
# Width over which what is copied is brought to one level: partials stay apart.
FLATTEN_HZ = 700.0
# The fewest coefficients of a low band that it is copied from, and over how many frames on each side it is compared.
LEAST_COPIED, COMPARED_FRAMES = 16, 2
# Shifts whose likeness differs by less than this share of it are mixed: between equals rounding would decide.
TIE = 1e-3
# How much of the variance is noise, so that what lies between partials is not empty.
NOISE_SHARE = 0.1


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
        hz = (torch.arange(self.latent_dim) + 0.5) * self.bin_hz
        return 0.55 * (1 + hz / 400) ** -0.55

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

    def replicated(self, z: Tensor, cutoff_hz: Tensor, noise: Tensor) -> Tensor:
        """The band below the cutoff copied up and flattened to unit variance, with some of the noise.

        Each frame keeps its sound in time and the distances of its partials, which noise has not: an attack stays as
        short as it is below the cutoff. Coefficients are moved by an even number, so that a tone keeps its phase's
        advance from frame to frame, and by that by which the band is most like itself: partials go on in their places.

        Args:
            z: latent [b, latent_dim, frame] of the low band, which ends at `cutoff_hz` [b].
            noise: of unit variance, like `z`; all there is below the cutoff.

        Source: Disch et al., "Intelligent Gap Filling in Perceptual Transform Coding of Audio" (2016).
        """
        start = noise.clone()
        for hz in cutoff_hz.unique().tolist():
            chosen = cutoff_hz == hz
            end = int(FULL_SHARE * hz / self.bin_hz) // 4 * 4
            if end >= LEAST_COPIED:
                source = self._flattened(z[chosen, :end])
                above = torch.arange(self.latent_dim - end, device=z.device)[:, None]
                copies = [
                    share * source.gather(1, end - shift + above % shift) for shift, share in _likeness_shifts(source)
                ]
                mixed = (1 - NOISE_SHARE) ** 0.5 * sum(copies)
                start[chosen, end:] = mixed + NOISE_SHARE**0.5 * noise[chosen, end:]
        return start

    @property
    def bin_hz(self) -> float:
        """Width of a coefficient."""
        return self.sample_rate / 2 / self.latent_dim

    def _flattened(self, z: Tensor) -> Tensor:
        """Coefficients [b, bin, frame] relative to the level of those around, a frame at a time."""
        reach = max(round(FLATTEN_HZ / 2 / self.bin_hz), 1)
        power = avg_pool1d(z.square().transpose(1, 2), 2 * reach + 1, 1, reach, count_include_pad=False).transpose(1, 2)
        return z * power.clamp(min=1e-12).rsqrt()

    def _dct4(self, x: Tensor) -> Tensor:
        """Orthonormal DCT-IV of the last dimension, its own inverse, by a complex FFT of a quarter of the window."""
        z = torch.complex(x[..., ::2], x[..., 1::2].flip(-1)) * self.twiddle
        z = torch.fft.fft(z) * self.twiddle
        return torch.stack([z.real, -z.imag.flip(-1)], dim=-1).flatten(-2)


def _likeness_shifts(z: Tensor) -> list[tuple[Tensor, Tensor]]:
    """By how many coefficients, even, the upper end of `z` [b, bin, frame] is most like what is below, [b, 1, frame].

    Between a quarter and half of its width. Where it has partials, it is a multiple of their distance.

    Returns:
        The likeliest shift and the next, with the amplitude of each: 1 and 0, but where both are as good to `TIE`, so
        that what is copied depends steadily on `z`.
    """
    end = z.shape[1] // 4 * 4
    size = z[:, -end:].abs()
    upper = size.clone()
    upper[:, : -(end // 4)] = 0
    shifts = torch.arange(end // 2, end // 4 - 1, -2, device=z.device)
    # Products of all shifts at once: a correlation along frequency.
    spectra = [torch.fft.rfft(x, n=2 * end, dim=1) for x in (upper, size)]
    products = torch.fft.irfft(spectra[0] * spectra[1].conj(), n=2 * end, dim=1)[:, shifts]
    energy = pad(size.square().cumsum(dim=1), (0, 0, 1, 0))
    below = energy[:, end - shifts] - energy[:, end - end // 4 - shifts]
    frames = 2 * COMPARED_FRAMES + 1
    products, below = (
        avg_pool1d(x, frames, 1, COMPARED_FRAMES, count_include_pad=False) for x in (products, below.clamp(min=1e-6))
    )
    # Of multiples, which are as good as each other, the greatest.
    preference = torch.linspace(1, 0.95, len(shifts), device=z.device)[:, None]
    likeness, best = (preference * products * below.rsqrt()).topk(3, dim=1)
    # By how much each is better than what is worse than the best by `TIE`, and than the third.
    least = torch.maximum((1 - TIE) * likeness[:, :1], likeness[:, 2:])
    shares = (likeness[:, :2] - least).clamp(min=0)
    shares[:, 0] += 1e-9  # where nothing is like anything
    shares = shares / torch.linalg.vector_norm(shares, dim=1, keepdim=True)
    return [(shifts[best[:, i : i + 1]], shares[:, i : i + 1]) for i in range(2)]
