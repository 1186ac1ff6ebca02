"""The one type that carries everything a backbone is told beside z_t and t."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

PARTS = ("concat", "cross_attention", "cross_attention_mask", "prepend", "global_")


@dataclass(frozen=True)
class Conditioning:
    """What guides a backbone; every part is optional.

    Attributes:
        concat: [b, c, frame], joined to z_t on the channels (the low-resolution latent, condition `acoustic`).
        cross_attention: [b, s, d] tokens to attend to, with `cross_attention_mask` [b, s] (true: attend).
        prepend: [b, p, d] tokens put before the sequence.
        global_: [b, d], joined to the time embedding.
        concat_null: the constant that stands for a dropped `concat`.
    """

    concat: Tensor | None = None
    cross_attention: Tensor | None = None
    cross_attention_mask: Tensor | None = None
    prepend: Tensor | None = None
    global_: Tensor | None = None
    concat_null: float = 0.0

    @property
    def parts(self) -> frozenset[str]:
        """The names of the parts that are there."""
        return frozenset(name for name in PARTS if getattr(self, name) is not None)

    def drop(self, conditions: Iterable[str], rows: Tensor | None = None) -> Conditioning:
        """Replace the named conditions by their null value, everywhere or in the `rows` [b] that are true."""
        dropped = self
        if "acoustic" in conditions and self.concat is not None:
            null = torch.full_like(self.concat, self.concat_null)
            kept = null if rows is None else torch.where(rows[:, None, None], null, self.concat)
            dropped = replace(dropped, concat=kept)
        return dropped

    @staticmethod
    def stack(branches: Sequence[Conditioning]) -> Conditioning:
        """Join several conditionings with the same parts along the batch."""
        first = branches[0]
        joined: dict[str, Any] = {
            name: torch.cat([getattr(branch, name) for branch in branches])
            for name in (field.name for field in fields(first))
            if name in first.parts
        }
        return replace(first, **joined)
