"""A folder that `saga-sr prepare` has made, here or in object storage."""

from __future__ import annotations

import json
import logging
from functools import cached_property
from typing import Any

from safetensors.torch import load

from saga_sr.codecs.prepared import LatentStatistics
from saga_sr.core.errors import ConfigError, DataError
from saga_sr.data.shards import LAYOUT, STATISTICS, SUMMARY, Shards, fetch

logger = logging.getLogger(__name__)


class Prepared:
    """What is known of a prepared folder, and its shards.

    Args:
        path: the folder, or its address.
        sample_rate: of the run, in Hz.
        cache: folder for shards from object storage; None is litdata's.
    """

    def __init__(self, path: str, sample_rate: int, cache: str | None = None) -> None:
        self.path = path.rstrip("/")
        self.sample_rate = sample_rate
        self.cache = cache
        self._shards: dict[str, Shards] = {}

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What was prepared."""
        return json.loads(fetch(self.path, SUMMARY))

    def setting(self, name: str) -> Any:
        """What it was prepared with."""
        return self.summary["settings"][name]

    def statistics(self) -> LatentStatistics:
        """Those of all its latents."""
        return LatentStatistics.from_tensors(load(fetch(self.path, STATISTICS)))

    def shards(self, side: str) -> Shards:
        """Those of one side of the split.

        Raises:
            ConfigError: another sampling rate.
            DataError: prepared by a version that stored something else.
        """
        rate = self.setting("sample_rate")
        if rate != self.sample_rate:
            raise ConfigError(
                f"sample_rate={self.sample_rate} but {self.path} was prepared at {rate} Hz; choose its codec."
            )
        if self.summary.get("layout") != LAYOUT:
            raise DataError(
                f"{self.path} was prepared by saga-sr {self.summary['saga_sr']}, which stored something else; prepare "
                "it anew."
            )
        if side not in self._shards:
            self._shards[side] = Shards(f"{self.path}/{side}", self.cache)
        return self._shards[side]

    def check(self, num_samples: int, hop_length: int) -> None:
        """See whether crops of `num_samples` can be taken from it, by a codec with frames of `hop_length`.

        Raises:
            ConfigError: they cannot.
        """
        longest, own = self.setting("num_samples"), self.setting("hop_length")
        if own != hop_length:
            raise ConfigError(f"{self.path} was prepared by another codec than other parts of data.mix; leave it out.")
        if num_samples > longest:
            raise ConfigError(
                f"data.num_samples={num_samples} is longer than the clips of {self.path}; give at most {longest}, or "
                "prepare longer ones."
            )
        if num_samples < own:
            raise ConfigError(f"data.num_samples={num_samples} is shorter than a frame; give {own} or more.")

    def tell_lost(self) -> None:
        """Say how many items could not be used."""
        for side, shards in self._shards.items():
            count = int(shards.replaced)
            if count:
                logger.warning("%d items of %s in %s were damaged or lost and others taken.", count, side, self.path)
