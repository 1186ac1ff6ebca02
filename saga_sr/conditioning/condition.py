"""What every condition is: a class in a file of its own, which says all that there is to say of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from saga_sr.conditioning.types import ConditionRequest, Port
from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import Generators


class Dims(NamedTuple):
    """What a condition becomes for a backbone: the width of its tokens, if any, and how many columns of `global_`."""

    tokens: int | None = None
    columns: int = 0


class Embedding(NamedTuple):
    """An embedded condition: `tokens` [b, s, d] to attend to, `columns` [b, d] to join to the time embedding."""

    tokens: Tensor | None = None
    columns: Tensor | None = None


@dataclass(frozen=True)
class TrainingPairs:
    """What training knows of clips and their low-passed versions.

    Attributes:
        captions: what each clip contains; empty where unknown.
        sample_rate: Hz.
        cutoff_hz: [b], where the content of the low-passed versions ends.
        lr, hr: [b, ...], what the condition's `measure` found in the low-passed and in the wide-band clips; [b, 0]
            for a condition that measures nothing.
    """

    captions: Sequence[str]
    sample_rate: int
    cutoff_hz: Tensor
    lr: Tensor
    hr: Tensor


class Condition(nn.Module, ABC):
    """One thing that a backbone is conditioned on.

    It has a value for a batch of clips, in a form of its own: in training found by `from_training`, in use by
    `from_request`; `forward` embeds it.

    Attributes:
        reads: what it takes from a `ConditionRequest`: `text` (the prompts), `rolloff`, or keys of `wishes`.
        measures: whether it has a `measure` of its own.
        dropout: share of training examples that get its null value; None if it is never dropped.
        dropped_with: name of the condition that its tokens are dropped with, in place of all of it on its own.
        null_value: the number that stands for it where it is dropped.
        dims: see `Dims`.
    """

    reads: ClassVar[frozenset[str]] = frozenset()
    measures: ClassVar[bool] = False
    dropout: float | None = None
    dropped_with: str | None = None
    null_value: float = 0.0
    dims: Dims = Dims()

    @classmethod
    def dims_of(cls, settings: Mapping[str, Any]) -> Dims:
        """The `dims` of one with these `settings`, which configurations give backbones their widths by."""
        return Dims()

    @staticmethod
    def measure(audio: Tensor, sample_rate: int, cutoff_hz: Tensor) -> Tensor:
        """What has to be known of clips [b, c, time] that were cut off at `cutoff_hz` [b], if at all: [b, ...].

        The same for all settings, since preparation stores it.
        """
        return audio.new_zeros(len(audio), 0)

    @staticmethod
    def summarise(measured: Tensor) -> Tensor | None:
        """What has to be known of the `measured` [clip, ...] of all wide-band clips of training, for `set_summary`."""
        return None

    def set_summary(self, summary: Tensor) -> None:
        """Take what `summarise` found."""

    def from_training(self, pairs: TrainingPairs) -> Any:
        """Its value for examples of training."""
        return None

    def from_request(self, request: ConditionRequest) -> Any:
        """Its value for what a user asks for.

        Raises:
            ConfigError: what cannot be.
        """
        return None

    @property
    def port(self) -> Port | None:
        """The tensor [batch, ...] that an exported network is given as its value; None where it needs none."""
        return None

    @abstractmethod
    def forward(self, value: Any) -> Embedding:
        """Embed its `value`."""

    def channels(self, z_lr: Tensor, generators: Generators = None) -> Tensor | None:
        """What is joined to z_t on the channels [b, c, frame]; in training mode `generators` draw."""
        return None


def probability(condition: str, dropout: float) -> float:
    """`dropout` of the named condition, if it is one.

    Raises:
        ConfigError: it lies outside 0 to 1.
    """
    if not 0 <= dropout <= 1:
        raise ConfigError(f"conditioning.{condition}.dropout={dropout} is not a probability; give a value from 0 to 1.")
    return dropout


Conditions = Mapping[str, Condition] | Mapping[str, type[Condition]]


def measure_clips(conditions: Conditions, audio: Tensor, sample_rate: int, cutoff_hz: Tensor) -> dict[str, Tensor]:
    """What those of `conditions` that measure find in clips, by name; see `Condition.measure`."""
    return {
        name: condition.measure(audio, sample_rate, cutoff_hz)
        for name, condition in conditions.items()
        if condition.measures
    }


def summarise_clips(conditions: Conditions, measured: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What those of `conditions` that ask for it know of all clips, by name; see `Condition.summarise`."""
    summaries = {
        name: condition.summarise(measured[name]) for name, condition in conditions.items() if name in measured
    }
    return {name: summary for name, summary in summaries.items() if summary is not None}
