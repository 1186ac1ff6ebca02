"""One of several degradations for each example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from saga_sr.audio.degradation import Degradation, Degraded
from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import Generators, uniform


class DegradationMixture:
    """A degradation drawn for each example by weight.

    Args:
        degradations: by name.
        weights: how likely each is drawn, up to a factor, by the same names.

    Raises:
        ConfigError: weights that are negative, all zero, or of other names.
    """

    def __init__(self, degradations: Mapping[str, Degradation], weights: Mapping[str, float]) -> None:
        if {*weights} != {*degradations} or min(weights.values()) < 0 or not sum(weights.values()) > 0:
            raise ConfigError(
                f"degradation.weights={dict(weights)} must give each of {', '.join(degradations)} a weight of 0 or "
                "more, and one of them more."
            )
        self.degradations = dict(degradations)
        self.on_cpu = any(degradation.on_cpu for degradation in degradations.values())
        self.ends = torch.tensor([float(weights[name]) for name in degradations]).cumsum(0)

    def __call__(self, hr: Tensor, generators: Generators) -> Degraded:
        """Degrade `hr` [b, c, time]; CPU `generators` draw, so that a seed means the same on any device."""
        drawn = self.ends[-1] * uniform([len(hr)], generators)
        kinds = torch.bucketize(drawn, self.ends[:-1], right=True)
        lr = torch.empty_like(hr)
        cutoff_hz = torch.empty(len(hr), device=hr.device)
        for kind, degradation in enumerate(self.degradations.values()):
            chosen = (kinds == kind).nonzero()[:, 0]
            if len(chosen):
                own = [generators[i] for i in chosen.tolist()] if isinstance(generators, Sequence) else generators
                degraded = degradation(hr[chosen.to(hr.device)], own)
                lr[chosen], cutoff_hz[chosen] = degraded.lr, degraded.cutoff_hz
        return Degraded(lr, cutoff_hz)
