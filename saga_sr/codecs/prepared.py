"""What is known of latents that were prepared before, and which codec made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    @classmethod
    def mixed(cls, found: Sequence[LatentStatistics], weights: Sequence[float]) -> LatentStatistics:
        """Those of a training that takes its examples from several data sets, with these `weights`.

        What conditions know is averaged.

        Raises:
            DataError: their latents are of different codecs.
        """
        first = found[0]
        if any(not is_alike(each.fingerprint, first.fingerprint) for each in found):
            raise DataError("The parts of data.mix were made by different codecs; prepare them with one.")
        shares = torch.tensor(weights, dtype=first.mean.dtype) / sum(weights)
        mean = _averaged([each.mean for each in found], shares)
        square = _averaged([each.deviation**2 + each.mean**2 for each in found], shares)
        conditions = {
            name: _averaged([each.conditions[name] for each in found], shares)
            for name in first.conditions
            if all(name in each.conditions for each in found)
        }
        return cls(mean, (square - mean**2).sqrt(), first.fingerprint, conditions)

    def check(self, codec: Codec, where: str) -> None:
        """See whether `codec` is the one whose latents these are of.

        Raises:
            DataError: it is another, or has other weights or settings.
        """
        if not is_alike(fingerprint(codec), self.fingerprint):
            raise DataError(
                f"The latents in {where} were made by another codec than this {type(codec).__name__}, or with other "
                "settings or weights; choose the one that its README.md names, or prepare them anew."
            )


def _averaged(tensors: Sequence[Tensor], shares: Tensor) -> Tensor:
    return (torch.stack(list(tensors), dim=-1) * shares).sum(dim=-1)


def is_alike(one: Tensor, other: Tensor) -> bool:
    """Whether two fingerprints are of one codec."""
    return one.shape == other.shape and bool((one - other).norm() <= 0.01 * other.norm())


@torch.no_grad()
def fingerprint(codec: Codec) -> Tensor:
    """The raw latent [latent_dim, frame] of a short burst of noise: it tells codecs, settings and weights apart."""
    length = 16 * codec.hop_length
    noise = torch.randn(1, codec.channels, length, generator=torch.Generator().manual_seed(0))
    return codec.analyse(0.1 * noise.to(codec.latent_mean.device))[0].float().cpu().contiguous()
