"""Numbers as conditions: how they are embedded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from saga_sr.conditioning.condition import Condition, Dims, Embedding
from saga_sr.conditioning.types import Port


class NumberEmbedding(nn.Module):
    """A number in [0, 1] as a vector, [b] -> [b, width]: itself and Fourier features at learned frequencies, mapped.

    Source: Stable Audio Open (Evans et al., 2024), the embedding of its timings.
    """

    def __init__(self, width: int, features: int = 256) -> None:
        super().__init__()
        self.frequency = nn.Parameter(torch.randn(features // 2))
        self.project = nn.Linear(features + 1, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x.float().clamp(0, 1)[:, None]
        angle = 2 * math.pi * x * self.frequency
        return self.project(torch.cat([x, angle.sin(), angle.cos()], dim=-1))


class NumbersCondition(Condition):
    """Some numbers in [0, 1], each embedded on its own, joined to the time embedding and, if wanted, attended to.

    Its value is a tensor [b, number].

    Args:
        width: of an embedding.
        attended: each number is also a token of cross-attention.

    Attributes:
        numbers: their names, which their embeddings have in the weights.
        meaning: what they are, in words.
    """

    numbers: tuple[str, ...]
    meaning: str = "each from 0 to 1"

    def __init__(self, width: int, attended: bool) -> None:
        super().__init__()
        self.attended = attended
        self.dims = Dims(width if attended else None, len(self.numbers) * width)
        for name in self.numbers:
            self.add_module(name, NumberEmbedding(width))

    @classmethod
    def dims_of(cls, settings: Mapping[str, Any]) -> Dims:
        width = settings["width"]
        return Dims(width if settings["attended"] else None, len(cls.numbers) * width)

    @property
    def port(self) -> Port:
        return Port(("batch", len(self.numbers)), self.meaning)

    def forward(self, value: Tensor) -> Embedding:
        """Embed numbers [b, number]: tokens [b, number, width] and columns [b, number * width]."""
        embedded = []
        for name, number in zip(self.numbers, value.unbind(1), strict=True):
            embedding: Any = self.get_submodule(name)
            embedded.append(embedding(number.to(embedding.frequency.device)))
        vectors = torch.stack(embedded, dim=1)
        return Embedding(vectors if self.attended else None, vectors.flatten(1))
