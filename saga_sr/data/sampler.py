"""Which items of a data set a rank reads, in which epoch."""

from __future__ import annotations

from collections.abc import Iterator

from torch.utils.data import Sampler


class EpochSampler(Sampler[int]):
    """Indices `epoch * size + i`, dealt to the ranks in turn.

    The data sets here make item `i` from (seed, i) alone, so that fresh indices in every epoch are fresh crops, and
    what is seen depends neither on the number of workers nor on that of ranks.

    Args:
        size: items in an epoch, over all ranks; rounded down to a multiple of `world_size`.
        rank, world_size: of the process.
        begin: epoch, and number of this rank's items in it, that an interrupted run has seen already.
    """

    def __init__(self, size: int, rank: int = 0, world_size: int = 1, begin: tuple[int, int] = (0, 0)) -> None:
        self.size = size
        self.rank = rank
        self.world_size = world_size
        self.begin = begin
        # Loaders with workers ask for the first items before the trainer has told the epoch.
        self.epoch = begin[0]

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer when an epoch begins."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size // self.world_size

    def __iter__(self) -> Iterator[int]:
        first = self.epoch * self.size
        epoch, seen = self.begin
        skipped = seen if self.epoch == epoch else 0
        items = range(first + self.rank, first + len(self) * self.world_size, self.world_size)
        return iter(items[skipped:])
