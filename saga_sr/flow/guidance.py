"""Guidance: which conditions each branch of a guided velocity drops, and how the branches become one.

A guidance states `branches`, a tuple with the set of condition names that each branch drops, and combines the branches'
velocities, stacked as [branch, b, ...], into one [b, ...]. All branches run as one batched forward.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Guidance(Protocol):
    """What a sampler needs of a guidance."""

    @property
    def branches(self) -> tuple[frozenset[str], ...]:
        """The condition names dropped in each branch; the first branch drops nothing."""

    def combine(self, velocities: Tensor) -> Tensor:
        """One velocity [b, ...] of the branches' [branch, b, ...]."""


class ClassifierFree:
    """v = v_0 + scale (v_c - v_0), with v_0 the velocity without the low-resolution latent.

    Scale 1 is plain conditional sampling and costs no second branch; scale 0 is unconditional.
    Source: Ho & Salimans, "Classifier-Free Diffusion Guidance" (2022).
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    @property
    def branches(self) -> tuple[frozenset[str], ...]:
        return (frozenset(),) if self.scale == 1 else (frozenset(), frozenset({"acoustic"}))

    def combine(self, velocities: Tensor) -> Tensor:
        if self.scale == 1:
            return velocities[0]
        conditional, unconditional = velocities
        return unconditional + self.scale * (conditional - unconditional)
