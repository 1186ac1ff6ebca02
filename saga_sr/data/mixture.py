"""Several corpora in one training, each with its share of the items."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from saga_sr.core.errors import ConfigError

# Shares are met exactly over so many items of a group, and are whole parts of it.
ROWS = 1000
KEPT = 256


def corpora(mix: Mapping[str, Any]) -> dict[str, float]:
    """The weights of what `data.mix` names, by path.

    Args:
        mix: `{"path": ..., "weight": ...}` by names of the user's choice; a weight that is left out is 1.

    Raises:
        ConfigError: an entry without a path, with another key, or with a weight that is none.
    """
    weights: dict[str, float] = {}
    for name, entry in mix.items():
        if not isinstance(entry, Mapping) or not {"path"} <= entry.keys() <= {"path", "weight"} or not entry["path"]:
            raise ConfigError(f"data.mix.{name}={entry} is no corpus; give {{path: FOLDER, weight: 1}} there.")
        weight = entry.get("weight", 1.0)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < math.inf:
            raise ConfigError(f"data.mix.{name}.weight={weight} is no share; give a number above 0.")
        if str(entry["path"]) in weights:
            raise ConfigError(f"data.mix names {entry['path']} twice; name it once, with a weight.")
        weights[str(entry["path"])] = float(weight)
    return weights


class Mixture:
    """Which corpus item `n` of training comes from, and which of that corpus's items it is.

    Both depend on (seed, `n`) alone. Within each group of `ShardOrder`, every `ROWS` items hold each corpus as often as
    its weight says, in a random order; each item of a corpus comes up once before any comes up again, in the group that
    it would come up in without others.

    Args:
        weights: of the corpora.
        seed: of the order.
        groups: see `ShardOrder`.

    Raises:
        ConfigError: a weight that is too small a share of them all.
    """

    def __init__(self, weights: Sequence[float], seed: int, groups: int) -> None:
        shares = np.array(weights) / np.sum(weights) * ROWS
        self.counts = np.floor(shares).astype(int)
        # What is left goes to those that rounding has taken most from.
        self.counts[np.argsort(self.counts - shares, kind="stable")[: ROWS - self.counts.sum()]] += 1
        if not self.counts.all():
            raise ConfigError(f"A weight of data.mix is less than a share of 1/{ROWS} of all; leave that corpus out.")
        self.seed = seed
        self.groups = groups

    def __call__(self, index: int) -> tuple[int, int]:
        """The number of the corpus, and that of the item among all that training takes from there."""
        row, group = divmod(index, self.groups)
        block, place = divmod(row, ROWS)
        order = _order(tuple(self.counts.tolist()), self.seed, block, group)
        corpus = int(order[place])
        own_row = block * int(self.counts[corpus]) + int((order[:place] == corpus).sum())
        return corpus, own_row * self.groups + group


@lru_cache(KEPT)
def _order(counts: tuple[int, ...], seed: int, block: int, group: int) -> np.ndarray:
    return np.random.default_rng([seed, block, group]).permutation(np.repeat(np.arange(len(counts)), counts))
