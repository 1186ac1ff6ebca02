"""A batch in parts, whose gradients are summed, where all of it at once needs more memory than there is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

LossTerms = Callable[[dict[str, Any], list[int]], dict[str, Tensor]]


class Parts:
    """How many parts batches are taken in.

    Attributes:
        count: 1, and twice as many from each time on that they did not fit.
    """

    def __init__(self) -> None:
        self.count = 1

    def double(self, items: int) -> None:
        """Take batches of so many `items` in twice as many parts, and say so.

        Raises:
            OutOfMemoryError: an item is a part of its own already.
        """
        if self.count >= items:
            raise torch.OutOfMemoryError("One example alone needs more memory than there is; take a shorter one.")
        self.count *= 2
        logger.warning(
            "A batch of %d needs more memory than there is; from here on it is taken in %d parts, whose gradients are "
            "summed. data.batch_size=%d with trainer.accumulate_grad_batches=%d is the same.",
            *(items, self.count, -(-items // self.count), self.count),
        )

    def gradients(
        self, batch: dict[str, Any], seeds: list[int], loss_terms: LossTerms, parameters: Sequence[Tensor]
    ) -> tuple[dict[str, Tensor], list[Tensor | None]]:
        """The named terms of the loss of `batch`, without gradients, and the gradients of their sum, as of the whole.

        Args:
            seeds: one for each example.

        Raises:
            OutOfMemoryError: see `double`.
        """
        while True:
            try:
                return self._summed(batch, seeds, loss_terms, parameters)
            except torch.OutOfMemoryError:
                pass  # what the attempt holds is free once the exception is gone
            self.double(len(seeds))

    def _summed(
        self, batch: dict[str, Any], seeds: list[int], loss_terms: LossTerms, parameters: Sequence[Tensor]
    ) -> tuple[dict[str, Tensor], list[Tensor | None]]:
        size = -(-len(seeds) // self.count)
        total: dict[str, Tensor] = {}
        gradients: list[Tensor | None] = [None] * len(parameters)
        for first in range(0, len(seeds), size):
            items = slice(first, first + size)
            share = len(seeds[items]) / len(seeds)
            terms = {name: share * term for name, term in loss_terms(taken(batch, items), seeds[items]).items()}
            found = torch.autograd.grad(torch.stack(list(terms.values())).sum(), parameters, allow_unused=True)
            for i, gradient in enumerate(found):
                before = gradients[i]
                if gradient is not None:
                    gradients[i] = gradient if before is None else before.add_(gradient)
            total = {name: term.detach() + total.get(name, 0.0) for name, term in terms.items()}
        return total, gradients


def taken(batch: Any, items: slice) -> Any:
    """Those `items` of everything in a batch: tensors and lists have one for each example."""
    if isinstance(batch, dict):
        return {name: taken(value, items) for name, value in batch.items()}
    return batch[items] if isinstance(batch, Tensor | list | tuple) else batch
