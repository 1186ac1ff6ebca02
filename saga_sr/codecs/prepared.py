"""What is known of latents that were prepared before, and which codec made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from saga_sr.codecs.codec import Codec
from saga_sr.codecs.statistics import ChannelSums
from saga_sr.core.errors import DataError

CONDITION = "condition."


@dataclass(frozen=True)
class LatentStatistics:
    """What is known of prepared latents as a whole.

    Attributes:
        mean, deviation: [latent_dim] of each channel of the raw latents.
        fingerprint: what the codec made of a known sound, see `fingerprint`.
        conditions: what conditions know of all clips (`Condition.summarise`), by name.
    """

    mean: Tensor
    deviation: Tensor
    fingerprint: Tensor
    conditions: Mapping[str, Tensor]

    @classmethod
    def of(cls, codec: Codec, sums: ChannelSums, conditions: Mapping[str, Tensor]) -> LatentStatistics:
        """Those of latents that `codec` made."""
        return cls(*sums.mean_and_deviation(), fingerprint(codec), conditions)

    def tensors(self) -> dict[str, Tensor]:
        """All of it as tensors by name, for a file."""
        conditions = {f"{CONDITION}{name}": summary for name, summary in self.conditions.items()}
        return {"mean": self.mean, "deviation": self.deviation, "fingerprint": self.fingerprint} | conditions

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> LatentStatistics:
        """What `tensors` gave."""
        conditions = {
            name.removeprefix(CONDITION): tensor for name, tensor in tensors.items() if name.startswith(CONDITION)
        }
        return cls(tensors["mean"], tensors["deviation"], tensors["fingerprint"], conditions)

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
