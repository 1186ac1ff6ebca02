"""Cutting a long signal into overlapping chunks, and joining the results without a seam."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from saga_sr.core.errors import ConfigError

Span = tuple[int, int]


@dataclass(frozen=True)
class ChunkPlan:
    """Chunks of `chunk` samples every `hop` samples."""

    chunk: int
    hop: int

    @property
    def overlap(self) -> int:
        """Samples that neighbours share."""
        return self.chunk - self.hop

    def spans(self, length: int) -> Iterator[Span]:
        """Begin and end of each chunk over `length` samples; the last one ends at `length`."""
        count = max(1, math.ceil((length - self.overlap) / self.hop))
        for i in range(count):
            yield i * self.hop, min(i * self.hop + self.chunk, length)


def plan_chunks(chunk_s: float, overlap_s: float, sample_rate: int, grid: int) -> ChunkPlan:
    """Chunks of about `chunk_s` with about `overlap_s` overlap, all beginning on multiples of `grid` samples.

    Raises:
        ConfigError: an overlap that leaves no progress, or more than half of the chunk.
    """
    hop = round((chunk_s - overlap_s) * sample_rate / grid) * grid
    if overlap_s < 0 or hop < grid or 2 * overlap_s > chunk_s:
        raise ConfigError(
            f"chunk_s={chunk_s} with overlap_s={overlap_s} cannot be joined; "
            "the overlap must be 0 to half of the chunk."
        )
    return ChunkPlan(hop + round(overlap_s * sample_rate / grid) * grid, hop)


class CrossFade:
    """Joins chunks [..., n] in order, linearly cross-faded over their overlap, giving back what is final."""

    def __init__(self, plan: ChunkPlan) -> None:
        self.plan = plan
        self.tail: Tensor | None = None

    def join(self, chunk: Tensor, last: bool) -> Tensor:
        """The samples that `chunk` completes: all of them if it is the `last`."""
        overlap = self.plan.overlap
        if self.tail is not None and overlap:
            rise = (torch.arange(overlap, dtype=chunk.dtype) + 0.5) / overlap
            blended = self.tail + rise * (chunk[..., :overlap] - self.tail)
            chunk = torch.cat([blended, chunk[..., overlap:]], dim=-1)
        final = chunk.shape[-1] if last else self.plan.hop
        self.tail = chunk[..., final:]
        return chunk[..., :final]
