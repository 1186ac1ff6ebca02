"""What makes the `Conditioning` of a batch out of its conditions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from saga_sr.conditioning.condition import Condition, TrainingPairs, measure_clips, summarise_clips
from saga_sr.conditioning.types import Conditioning, ConditionRequest, ConditionValues, Place, Span
from saga_sr.core.errors import ConfigError, DataError
from saga_sr.core.random_numbers import Generators, uniform

# Batches are trained in so few lengths of text that compiling each pays.
TOKENS_AT_ONCE = 32


class Conditioner(nn.Module):
    """Makes the `Conditioning` out of any conditions, which it knows by their names alone.

    Tokens, columns and channels stand in the order of the conditions. In training each condition is dropped
    independently for each example, at its own rate.

    Args:
        cross_attention_dim, global_dim: widths of `Conditioning.cross_attention` and `.global_`; null where nothing is
            attended to, or joined to the time.
        **conditions: by name; null leaves one out.

    Raises:
        ConfigError: widths other than those of the conditions, or a condition dropped with one that is not there.
    """

    def __init__(
        self, cross_attention_dim: int | None = None, global_dim: int | None = None, **conditions: Condition | None
    ) -> None:
        super().__init__()
        self.cross_attention_dim = cross_attention_dim
        self.global_dim = global_dim
        for name, condition in conditions.items():
            if condition is not None:
                self.add_module(name, condition)
        self._check()

    @property
    def conditions(self) -> dict[str, Condition]:
        """The conditions by name."""
        return {name: cast(Condition, module) for name, module in self.named_children()}

    @property
    def droppable(self) -> frozenset[str]:
        """The names of those that training drops at times, so that guidance can go without them."""
        return frozenset(name for name, condition in self.conditions.items() if condition.dropout)

    def _check(self) -> None:
        tokens = {condition.dims.tokens for condition in self.conditions.values()} - {None}
        columns = sum(condition.dims.columns for condition in self.conditions.values())
        for name, given, right in (
            ("cross_attention_dim", self.cross_attention_dim, tokens),
            ("global_dim", self.global_dim, {columns} if columns else set()),
        ):
            if ({given} if given else set()) != right:
                made = " and ".join(sorted(map(str, right))) or "null"
                raise ConfigError(
                    f"conditioning.{name}={given} but the conditions make it {made}; choose one of the options of "
                    "conditioning, or set it to that."
                )
        for name, condition in self.conditions.items():
            if condition.dropped_with not in (None, *self.conditions):
                raise ConfigError(
                    f"conditioning.{name} is dropped with {condition.dropped_with}, which this model is not "
                    "conditioned on; add it, or drop the one on its own."
                )

    def measure(
        self, hr: Tensor, lr: Tensor, captions: Sequence[str], sample_rate: int, cutoff_hz: Tensor
    ) -> ConditionValues:
        """The values that training takes of `hr` [b, c, time] and of `lr`, whose content ends at `cutoff_hz` [b]."""
        whole = torch.full_like(cutoff_hz, sample_rate / 2)
        measured = {
            "hr": measure_clips(self.conditions, hr, sample_rate, whole),
            "lr": measure_clips(self.conditions, lr, sample_rate, cutoff_hz),
        }
        return self.recall(measured, captions, sample_rate, cutoff_hz)

    def recall(
        self,
        measured: Mapping[str, Mapping[str, Tensor]],
        captions: Sequence[str],
        sample_rate: int,
        cutoff_hz: Tensor,
    ) -> ConditionValues:
        """The same, of what conditions `measured` before: in `hr` and in `lr`, [b, ...] by the names of conditions.

        Raises:
            DataError: a condition's is not there.
        """
        values: dict[str, Any] = {}
        for name, condition in self.conditions.items():
            if condition.measures and name not in measured["lr"]:
                raise DataError(
                    f"These latents were prepared without what the condition {name} measures; prepare them with it "
                    f"(saga-sr prepare conditioning=...), or train without conditioning.{name}."
                )
            nothing = cutoff_hz.new_zeros(len(cutoff_hz), 0)
            lr, hr = (measured[side].get(name, nothing) for side in ("lr", "hr"))
            values[name] = condition.from_training(TrainingPairs(captions, sample_rate, cutoff_hz, lr, hr))
        return ConditionValues(len(captions), cutoff_hz.device, values)

    def request(self, request: ConditionRequest) -> ConditionValues:
        """The values that a user asks for.

        Raises:
            ConfigError: what no condition of this model reads, or what a condition cannot be.
        """
        for wish in sorted(request.given.difference(*(condition.reads for condition in self.conditions.values()))):
            raise ConfigError(f"This model was trained without {wish} and cannot be asked for it; leave it out.")
        values = {name: condition.from_request(request) for name, condition in self.conditions.items()}
        return ConditionValues(len(request.prompts), request.audio.device, values)

    def fit(self, batches: Iterable[Tensor], sample_rate: int) -> Iterator[Tensor]:
        """`batches` of wide-band audio [b, c, time] as they come; at their end, conditions know what they summarise."""
        measured: dict[str, list[Tensor]] = defaultdict(list)
        for batch in batches:
            whole = torch.full((len(batch),), sample_rate / 2, device=batch.device)
            for name, found in measure_clips(self.conditions, batch, sample_rate, whole).items():
                measured[name].append(found)
            yield batch
        clips = {name: torch.cat(found) for name, found in measured.items()}
        self.set_summaries(summarise_clips(self.conditions, clips))

    def set_summaries(self, summaries: Mapping[str, Tensor]) -> None:
        """Give conditions their summary, by name; others are passed over."""
        for name, condition in self.conditions.items():
            if name in summaries:
                condition.set_summary(summaries[name])

    def forward(self, z_lr: Tensor, values: ConditionValues, generators: Generators = None) -> Conditioning:
        """Condition on `z_lr` [b, c, frame] and `values`; in training mode `generators` draw noise and dropout.

        Training goes through few of the zeros that captions are filled up with, and makes the same of them.
        """
        conditioning = self.join_channels(self.describe(values), z_lr, generators)
        if not self.training:
            return conditioning
        for name, condition in self.conditions.items():
            if condition.dropout is not None:
                rows = uniform([len(z_lr)], generators, z_lr.device) < condition.dropout
                conditioning = conditioning.drop({name}, rows)
        return conditioning.merge_zero_tokens(TOKENS_AT_ONCE)

    def describe(self, values: ConditionValues) -> Conditioning:
        """The part of the `Conditioning` that does not depend on z_lr."""
        tokens: list[Tensor] = []
        columns: list[Tensor] = []
        spans: dict[str, list[Span]] = defaultdict(list)
        beside = self.column_spans()
        for name, condition in self.conditions.items():
            embedding = condition(values.by_name[name])
            if embedding.tokens is not None:
                first = sum(tensor.shape[1] for tensor in tokens)
                spans[condition.dropped_with or name].append((first, first + embedding.tokens.shape[1]))
                tokens.append(embedding.tokens)
            if embedding.columns is not None:
                columns.append(embedding.columns)
        places = {}
        for name, condition in self.conditions.items():
            own = name in beside and condition.dropped_with is None
            places[name] = Place(tuple(spans[name]), (beside[name],) if own else (), null=condition.null_value)
        return Conditioning(
            cross_attention=torch.cat(tokens, dim=1) if tokens else None,
            global_=torch.cat(columns, dim=1) if columns else None,
            places=places,
        )

    def column_spans(self) -> dict[str, Span]:
        """Where conditions are beside the time: first and end of the columns of `global_`, by name."""
        spans: dict[str, Span] = {}
        end = 0
        for name, condition in self.conditions.items():
            if condition.dims.columns:
                spans[name] = (end, end + condition.dims.columns)
                end += condition.dims.columns
        return spans

    def join_channels(self, conditioning: Conditioning, z_lr: Tensor, generators: Generators = None) -> Conditioning:
        """`conditioning` with all that is joined to z_t on the channels, made of `z_lr` [b, c, frame]."""
        places, joined, end = dict(conditioning.places), [], 0
        for name, condition in self.conditions.items():
            channels = condition.channels(z_lr, generators)
            if channels is not None:
                span = (end, end + channels.shape[1])
                place = places.get(name, Place(null=condition.null_value))
                places[name] = replace(place, channels=(span,))
                joined.append(channels)
                end = span[1]
        return replace(conditioning, concat=torch.cat(joined, dim=1) if joined else None, places=places)
