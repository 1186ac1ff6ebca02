"""Guidance: a velocity made of several, each of which drops some of the conditions.

A guidance is a weight for each branch, a branch being the set of conditions that it drops: v = sum of weight times
v_branch. Branches of weight 0 are not computed, and all others run as one batched forward. A schedule leaves most of
them out where they change little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from saga_sr.core.errors import ConfigError

Branch = frozenset[str]
# Of a branch: one for all clips, or one for each [b, 1, ...].
Weight = float | Tensor
WHOLE: Branch = frozenset()
ALL_TIMES = (0.0, 1.0)


@dataclass(frozen=True)
class Schedule:
    """When the branches that drop conditions are evaluated.

    Attributes:
        interval: from which time to which the velocity is guided; the branch with all conditions goes alone outside.
            Source: Kynkaanniemi et al., "Applying Guidance in a Limited Interval" (2024).
        every: of so many evaluations in the interval, one is of all branches; those between take its difference to the
            branch with all conditions.

    Raises:
        ConfigError: an interval or number that is none.
    """

    interval: tuple[float, ...] = ALL_TIMES
    every: int = 1

    def __post_init__(self) -> None:
        if len(self.interval) != 2 or not 0 <= self.interval[0] < self.interval[1] <= 1:
            raise ConfigError(
                f"guidance.interval={list(self.interval)} is none; give two rising times from 0 (noise) to 1 (data)."
            )
        if self.every < 1:
            raise ConfigError(f"guidance.every={self.every} has to be at least 1, which evaluates all branches always.")

    @property
    def is_always(self) -> bool:
        """Whether all branches are evaluated at every time."""
        return self == Schedule()


class Guidance(Protocol):
    """What a model needs of a guidance."""

    @property
    def weights(self) -> Mapping[Branch, Any]:
        """The weight of each branch, by the conditions that it drops; they sum to 1."""

    @property
    def schedule(self) -> Schedule:
        """When the branches are evaluated."""

    @property
    def wishes(self) -> Mapping[str, Any]:
        """What the network is told of it, as users ask for conditions."""


class _Scheduled:
    def __init__(self, interval: Sequence[float], every: int) -> None:
        self.interval, self.every = tuple(interval), every
        Schedule(self.interval, every)

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.interval, self.every)

    @property
    def wishes(self) -> dict[str, Any]:
        return {}


class ClassifierFree(_Scheduled):
    """v = v_0 + scale (v_c - v_0), with v_0 the velocity without the `dropped` conditions.

    Scale 1 is plain conditional sampling and costs no second branch; scale 0 is unconditional.
    Source: Ho & Salimans, "Classifier-Free Diffusion Guidance" (2022).

    Args:
        scale: above 1, what is sampled keeps closer to the conditions.
        dropped: their names; z_lr alone where left out.
        interval, every: see `Schedule`.
    """

    def __init__(
        self,
        scale: Weight = 1.0,
        dropped: Sequence[str] = ("acoustic",),
        interval: Sequence[float] = ALL_TIMES,
        every: int = 1,
    ) -> None:
        self.scale = scale
        self.dropped = tuple(dropped)
        super().__init__(interval, every)

    @property
    def weights(self) -> dict[Branch, Weight]:
        return {WHOLE: self.scale, Branch(self.dropped): 1 - self.scale}


class Nested(_Scheduled):
    """v = v_0 + acoustic (v_a - v_0) + text (v_at - v_a): v_0 without z_lr and text, v_a with z_lr, v_at with both.

    Roll-off and duration stay in every branch. Source: the code of SAGA-SR, after Brooks et al., "InstructPix2Pix"
    (2023), section 3.2.1.
    """

    def __init__(
        self, acoustic: Weight = 1.4, text: Weight = 1.2, interval: Sequence[float] = ALL_TIMES, every: int = 1
    ) -> None:
        self.acoustic = acoustic
        self.text = text
        super().__init__(interval, every)

    @property
    def weights(self) -> dict[Branch, Weight]:
        return {
            WHOLE: self.text,
            Branch({"text"}): self.acoustic - self.text,
            Branch({"text", "acoustic"}): 1 - self.acoustic,
        }


class Parallel(_Scheduled):
    """v = v_0 + acoustic (v_a - v_0) + text (v_t - v_0): v_a with z_lr and roll-off, v_t with text, v_0 with neither.

    Source: SAGA-SR (arXiv 2509.24924), section on multiple guidance.
    """

    def __init__(
        self, acoustic: Weight = 1.4, text: Weight = 1.2, interval: Sequence[float] = ALL_TIMES, every: int = 1
    ) -> None:
        self.acoustic = acoustic
        self.text = text
        super().__init__(interval, every)

    @property
    def weights(self) -> dict[Branch, Weight]:
        return {
            Branch({"text"}): self.acoustic,
            Branch({"acoustic", "rolloff"}): self.text,
            Branch({"acoustic", "rolloff", "text"}): 1 - self.acoustic - self.text,
        }


class DistilledGuidance:
    """The guidance of a network that has learned what it makes of the branches, and is told how strong it is.

    One branch is all that there is. Source: Meng et al., "On Distillation of Guided Diffusion Models" (2023).

    Args:
        **scales: those of the guidance that was distilled, by their names.
    """

    weights: Mapping[Branch, Weight] = {WHOLE: 1.0}
    schedule = Schedule()

    def __init__(self, **scales: float) -> None:
        vars(self).update(scales)

    @property
    def wishes(self) -> dict[str, Any]:
        return {"guidance_scale": dict(vars(self))}


GUIDANCES: dict[str, type[Guidance]] = {"classifier_free": ClassifierFree, "nested": Nested, "parallel": Parallel}


def changed(own: Guidance, kind: str | None = None, **settings: Any) -> Guidance:
    """The guidance `own`, or another `kind` of it, with those of its `settings` that are not None.

    Raises:
        ConfigError: an unknown kind, or a setting that it does not have.
    """
    if kind is not None and kind not in GUIDANCES:
        raise ConfigError(f"guidance.kind={kind} is not known; choose one of {', '.join(GUIDANCES)}.")
    chosen = GUIDANCES[kind]() if kind else own
    given = {name: value for name, value in settings.items() if value is not None}
    for name in given:
        if name not in vars(chosen):
            raise ConfigError(
                f"guidance.{name} is not a scale of {type(chosen).__name__}, which has {', '.join(vars(chosen))}; "
                f"give one of these or guidance.kind={'|'.join(GUIDANCES)}."
            )
    return type(chosen)(**{**vars(chosen), **given})


def branches(guidance: Guidance, conditions: Iterable[str]) -> dict[Branch, Weight]:
    """The branches to compute for a model with these `conditions`: those that are the same joined, no vanishing one.

    The whole one comes first where it may go alone, whatever its weight.
    """
    joined: dict[Branch, Weight] = {}
    for dropped, weight in guidance.weights.items():
        branch = dropped & frozenset(conditions)
        joined[branch] = joined.get(branch, 0.0) + weight
    found = {branch: weight for branch, weight in joined.items() if is_felt(weight)}
    if guidance.schedule.is_always or len(found) == 1:
        return found
    return {WHOLE: found.pop(WHOLE, 0.0)} | found


def is_felt(weight: Weight) -> bool:
    """Whether a branch of this weight changes any clip."""
    return bool((weight.abs() > 1e-9).any()) if isinstance(weight, Tensor) else abs(weight) > 1e-9


def combine(velocities: Tensor, weights: Iterable[Weight]) -> Tensor:
    """The weighted sum [b, ...] of the branches' velocities [branch, b, ...]."""
    weights = list(weights)
    if any(isinstance(weight, Tensor) for weight in weights):
        return torch.stack([weight * velocity for weight, velocity in zip(weights, velocities, strict=True)]).sum(dim=0)
    return torch.tensordot(torch.tensor(weights, device=velocities.device, dtype=velocities.dtype), velocities, dims=1)


# Of z [b, ...], t [b] and a number n: the velocities [n, b, ...] of the first n branches, and the first one's variance.
Predict = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor | None]]


class JoinedBranches:
    """The velocity of all branches, along one path: with its times in order, since a difference is kept between them.

    Args:
        weights: of the branches in the order of `predict`; the whole one first unless the schedule is of all times.
    """

    def __init__(self, predict: Predict, weights: Mapping[Branch, Weight], schedule: Schedule) -> None:
        self._predict, self._weights, self._schedule = predict, tuple(weights.values()), schedule
        self._guided = 0
        self._difference: Tensor | None = None

    def __call__(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor | None]:
        """The velocity at `z` [b, ...] and `t` [b], and the variance of the data."""
        if self._schedule.is_always or len(self._weights) == 1:
            velocities, variance = self._predict(z, t, len(self._weights))
            return combine(velocities, self._weights), variance
        first, last = self._schedule.interval
        if not first <= float(t[0]) < last:
            velocities, variance = self._predict(z, t, 1)
            return velocities[0], variance
        if self._difference is None or self._guided % self._schedule.every == 0:
            velocities, variance = self._predict(z, t, len(self._weights))
            self._difference = combine(velocities, self._weights) - velocities[0]
        else:
            velocities, variance = self._predict(z, t, 1)
        self._guided += 1
        return velocities[0] + self._difference, variance


@dataclass(frozen=True)
class GuidedVelocity:
    """The velocity field that sampling follows.

    Attributes:
        moments: the velocity at (z, t), and the variance of the data that the branch of most conditions states.
    """

    moments: Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]

    def __call__(self, z: Tensor, t: Tensor) -> Tensor:
        """The velocity at `z` [b, c, frame] and `t` [b]."""
        return self.moments(z, t)[0]
