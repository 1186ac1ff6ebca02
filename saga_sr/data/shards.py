"""Shards of latents, of which any item is read by its number."""

from __future__ import annotations

import io
import json
import logging
import warnings
from typing import Any

import numpy as np
import torch
from litdata import StreamingDataset
from litdata.streaming.downloader import get_downloader
from litdata.streaming.resolver import Dir

import saga_sr.data.fsspec_downloader  # noqa: F401 - registers itself
from saga_sr.core.errors import DataError
from saga_sr.core.storage import is_address, to_path
from saga_sr.data.checksum import checksum

logger = logging.getLogger(__name__)
# How it reads is its own affair.
logging.getLogger("litdata").setLevel(logging.WARNING)
# Nothing is written to what it hands out.
warnings.filterwarnings("ignore", "The given buffer is not writable")

# The layout of a prepared folder: shards of each side of the split, and what is known of the whole.
TRAIN, VALIDATION = "train", "validation"
SUMMARY, STATISTICS = "prepared.json", "statistics.safetensors"
# What items hold; another number, something else.
LAYOUT = 2
TRIES = 64


class Shards:
    """The items of a folder of litdata shards, here or in object storage, by number; damaged ones are known as such.

    Attributes:
        lengths: number of items of each shard.
        lost: the shards that could not be read, by name.

    Raises:
        DataError: there is no index.
    """

    def __init__(self, place: str, cache: str | None = None) -> None:
        self.place = place
        chunks = json.loads(fetch(place, "index.json"))["chunks"]
        # One item at a time is decoded, since they are asked for in any order.
        self.stream = StreamingDataset(_where(place), cache_dir=cache, batch_decode=0)
        self.names = [str(chunk["filename"]) for chunk in chunks]
        self.lengths = np.array([chunk["chunk_size"] for chunk in chunks])
        self.first = np.concatenate([[0], np.cumsum(self.lengths)])
        self.lost: dict[str, str] = {}
        # Shared by the processes that load: how many items were replaced.
        self.replaced = torch.zeros((), dtype=torch.int64).share_memory_()
        if not is_address(place):
            self._look(chunks)

    def _look(self, chunks: list[dict[str, Any]]) -> None:
        for chunk in chunks:
            path = to_path(self.place) / chunk["filename"]
            size = path.stat().st_size if path.is_file() else None
            if size != chunk["chunk_bytes"]:
                self._lose(chunk["filename"], "it is missing" if size is None else f"it has {size} bytes")

    def _lose(self, name: str, reason: str) -> None:
        if name not in self.lost:
            self.lost[name] = reason
            logger.warning("Shard %s of %s cannot be used (%s); others take its place.", name, self.place, reason)

    def __len__(self) -> int:
        return int(self.first[-1])

    def get(self, number: int, rng: np.random.Generator) -> dict[str, Any]:
        """Item `number`, or another one that `rng` draws where its shard is missing or it is damaged.

        Raises:
            DataError: many in a row are.
        """
        for _ in range(TRIES):
            item = self._read(number)
            if item is not None:
                return item
            self.replaced += 1
            number = int(rng.integers(len(self)))
        raise DataError(
            f"{TRIES} items in a row of {self.place} cannot be read ({', '.join(list(self.lost)[:3])}, ...); copy the "
            "folder again, or prepare it anew."
        )

    def _read(self, number: int) -> dict[str, Any] | None:
        name = self.names[int(np.searchsorted(self.first, number, side="right")) - 1]
        # A shard that is not there is not asked for again; one that is damaged in a place is good elsewhere.
        if self.lost.get(name, DAMAGED) != DAMAGED:
            return None
        try:
            item = self.stream[number]
            content = item["latents"] if "latents" in item else item["audio"]
            whole = checksum(content) == item["checksum"]
        except Exception as error:
            # litdata raises whatever the broken bytes or the network lead it to.
            self._lose(name, type(error).__name__)
            return None
        if not whole:
            self._lose(name, DAMAGED)
            return None
        return item


DAMAGED = "its checksums are wrong"


def fetch(path: str, name: str) -> bytes:
    """A file beside the shards.

    Raises:
        DataError: it is not there.
    """
    mend = "give the output of saga-sr prepare once it is finished (data.path=...)"
    if not is_address(path):
        try:
            return (to_path(path) / name).read_bytes()
        except OSError as error:
            raise DataError(f"{path} has no {name} ({error.strerror}); {mend}.") from error
    content = io.BytesIO()
    try:
        get_downloader(path, "", []).download_fileobj(f"{path}/{name}", content)
    except Exception as error:
        # The clients of the stores have errors of their own.
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise DataError(f"{path}/{name} cannot be read ({reason}); {mend}.") from error
    return content.getvalue()


def _where(place: str) -> Dir:
    """A folder or an address, as litdata's reader takes it."""
    return Dir(url=place) if is_address(place) else Dir(path=str(to_path(place).absolute()))
