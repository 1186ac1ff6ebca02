"""As many chunks at once as the memory of a device holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Together:
    """How many chunks are restored at once.

    Attributes:
        count: as many as were asked for, and half of those that did not fit from then on.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def work(self, items: Sequence[T], restore: Callable[[Sequence[T]], Tensor]) -> Iterator[tuple[T, Tensor]]:
        """Each of `items` with its result [...] of `restore`, in halves where all of them need too much memory.

        Raises:
            OutOfMemoryError: one alone needs too much.
        """
        try:
            results = restore(items)
        except torch.OutOfMemoryError:
            if len(items) == 1:
                raise
        else:
            yield from zip(items, results, strict=True)
            return
        # Outside of the exception, which keeps all tensors of the attempt alive.
        self.count = len(items) // 2
        logger.warning(
            "%d chunks at once need more memory than there is; %d are restored at once from here on (batch_size=%d).",
            *(len(items), self.count, self.count),
        )
        for half in (items[: self.count], items[self.count :]):
            yield from self.work(half, restore)
