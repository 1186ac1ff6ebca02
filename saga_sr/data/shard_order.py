"""In which order the items of shards are read, so that a machine of many needs only its share of the shards.

Items are dealt in turn to a fixed number of *groups*, 64 as a rule: item `n` of training, counted from its begin, comes
from group `n % groups`. Each group has a stretch of the shards of its own, nearly the same in every epoch, and reads it
in a shuffled order of its own. Rank `r` of `world_size` reads the items `n` with `n % world_size == r`. As long as the
number of groups is a multiple of `world_size`, and the number of items in an epoch of training a multiple of that of
groups, it reads from the groups `g` with `g % world_size == r`, and from no others. A machine downloads and keeps the
stretches of its ranks: all machines together stream the set once, and not once each.

The order of all items is a function of (seed, epoch, groups, window) alone. So the global batch at a step is the same
whatever the number of processes and workers: two processes equal one, and a run that was stopped goes on exactly, on
another number of processes, too. Every epoch of the shards has each item once: since their number need not be a
multiple of that of groups, stretches move by a few items from epoch to epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np


class ShardOrder:
    """Which item of the shards is item `n` of training.

    Args:
        lengths: numbers of items of the shards, in order.
        seed: of the order.
        groups: how many stretches the shards are divided into; where there are fewer shards, its largest divisor for
            which there are enough.
        window: shards that are mixed at a time, over all groups.
    """

    def __init__(self, lengths: Sequence[int], seed: int, groups: int, window: int) -> None:
        self.ends = np.cumsum(lengths)
        self.seed = seed
        # Few shards are fewer groups, which mixes them better.
        self.groups = max(part for part in range(1, min(groups, len(lengths)) + 1) if groups % part == 0)
        self.spread = window / self.groups
        self._keep()

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_group"}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self._keep()

    def _keep(self) -> None:
        # Some groups are in the next epoch before others.
        self._group = lru_cache(2 * self.groups)(self._shuffled)

    def __getitem__(self, index: int) -> int:
        """The number, among all items of the shards, of item `index` of training."""
        epoch, group = index // len(self), index % self.groups
        place = index // self.groups - self._before(epoch, group)
        return int(self._group(epoch, group)[place])

    def _before(self, epoch: int, group: int) -> int:
        """How many items the group has given before the epoch."""
        return (epoch * len(self) - group - 1) // self.groups + 1

    def stretch(self, epoch: int, group: int) -> tuple[int, int]:
        """The first item of the group's stretch in that epoch, and the one behind its last."""
        counts = [self._before(epoch + 1, g) - self._before(epoch, g) for g in range(group + 1)]
        return sum(counts[:-1]), sum(counts)

    def _shuffled(self, epoch: int, group: int) -> np.ndarray:
        """The group's items: its shards in random order, each spread over `spread` of them."""
        items = np.arange(*self.stretch(epoch, group))
        shards = np.searchsorted(self.ends, items, side="right")
        rng = np.random.default_rng([self.seed, epoch, group])
        first = int(shards[0]) if len(shards) else 0
        places = rng.permutation(int(shards[-1]) - first + 1 if len(shards) else 0)
        keys = places[shards - first] + max(self.spread, 1.0) * rng.random(len(items))
        return items[np.argsort(keys, kind="stable")]
