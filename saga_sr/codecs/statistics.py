"""What latents are like: sums over clips that can be merged in any number of steps without losing precision."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from saga_sr.errors import DataError

if TYPE_CHECKING:
    from saga_sr.codecs.codec import Codec


@dataclass(frozen=True)
class ChannelSums:
    """Count of frames, mean and sum of squared deviations [latent_dim] of each channel, in float64.

    Two of them are added as Chan, Golub & LeVeque (1979) do: unlike a difference of large sums, the variance of a
    channel with a large mean stays exact over any number of frames.
    """

    count: int
    mean: Tensor
    squares: Tensor

    @classmethod
    def none(cls, latent_dim: int) -> ChannelSums:
        """Those of no frames."""
        return cls(0, *(torch.zeros(latent_dim, dtype=torch.float64) for _ in range(2)))

    @classmethod
    def of(cls, raw: Tensor) -> ChannelSums:
        """Those of raw latents [b, latent_dim, frame]."""
        frames = raw.transpose(0, 1).flatten(1).double().cpu()
        mean = frames.mean(dim=1)
        return cls(frames.shape[1], mean, (frames - mean[:, None]).square().sum(dim=1))

    def __add__(self, other: ChannelSums) -> ChannelSums:
        count = self.count + other.count
        if not count:
            return self
        difference, share = other.mean - self.mean, other.count / count
        squares = self.squares + other.squares + difference.square() * (self.count * share)
        return ChannelSums(count, self.mean + difference * share, squares)

    def mean_and_deviation(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation [latent_dim] of each channel; zeros of no frames."""
        return self.mean, (self.squares / max(self.count, 1)).sqrt()


@dataclass(frozen=True)
class LatentStatistics:
    """What is known of prepared latents as a whole.

    Attributes:
        mean, deviation: [latent_dim] of each channel of the raw latents.
        full_band: [spectrum], the roll-off that counts as full band, by each of `SPECTRA`.
        fingerprint: what the codec made of a known sound, see `fingerprint`.
    """

    mean: Tensor
    deviation: Tensor
    full_band: Tensor
    fingerprint: Tensor

    @classmethod
    def of(cls, codec: Codec, sums: ChannelSums, full_band: Tensor) -> LatentStatistics:
        """Those of latents that `codec` made."""
        return cls(*sums.mean_and_deviation(), full_band, fingerprint(codec))

    def tensors(self) -> dict[str, Tensor]:
        """The attributes by name."""
        return dict(vars(self))

    def check(self, codec: Codec, where: str) -> None:
        """See whether `codec` is the one whose latents these are of.

        Raises:
            DataError: it is another, or has other weights or settings.
        """
        made = fingerprint(codec)
        if made.shape != self.fingerprint.shape or (made - self.fingerprint).norm() > 0.01 * self.fingerprint.norm():
            raise DataError(
                f"The latents in {where} were made by another codec than this {type(codec).__name__}, or with other "
                "settings or weights; choose the one that its README.md names, or prepare them anew."
            )


@torch.no_grad()
def fingerprint(codec: Codec) -> Tensor:
    """The raw latent [latent_dim, frame] of a short burst of noise: it tells codecs, settings and weights apart."""
    length = 16 * codec.hop_length
    noise = torch.randn(1, codec.channels, length, generator=torch.Generator().manual_seed(0))
    return codec.analyse(0.1 * noise.to(codec.latent_mean.device))[0].float().cpu().contiguous()


def checksum(tensor: Tensor) -> int:
    """CRC-32 of a tensor's numbers."""
    return zlib.crc32(tensor.contiguous().numpy().tobytes())
