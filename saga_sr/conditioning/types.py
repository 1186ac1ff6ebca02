"""The types between users, conditioners and backbones: requests, the values of conditions, and what a backbone gets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

PARTS = ("concat", "cross_attention", "cross_attention_mask", "global_")
Span = tuple[int, int]


class Port(NamedTuple):
    """A tensor that goes into a network that was exported, or comes out of it.

    Attributes:
        shape: sizes, and the names of those that may be any.
        meaning: in words, for whoever calls the network from another program.
    """

    shape: tuple[str | int, ...]
    meaning: str


@dataclass(frozen=True)
class ConditionValues:
    """The values of the conditions of a batch of clips, before they are embedded.

    Attributes:
        clips: how many there are.
        device: where they are embedded.
        by_name: of each condition, in the form that it makes and reads itself.
    """

    clips: int
    device: torch.device
    by_name: Mapping[str, Any]


@dataclass(frozen=True)
class ConditionRequest:
    """What a user asks for recordings to be restored by.

    Attributes:
        audio: [b, c, time], the low-resolution recordings, or excerpts of them.
        sample_rate: Hz.
        cutoff_hz: [b], where their content ends.
        prompts: what each contains; empty where nothing is said.
        rolloff: how bright they become, 1 being full band, one for all or [b].
        wishes: what is asked of other conditions, by the words in their `reads`.
    """

    audio: Tensor
    sample_rate: int
    cutoff_hz: Tensor
    prompts: Sequence[str]
    rolloff: float | Tensor = 1.0
    wishes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def given(self) -> frozenset[str]:
        """The names of what is asked for beyond what every model does."""
        said = {"text": any(prompt.strip() for prompt in self.prompts)}
        said["rolloff"] = bool((torch.as_tensor(self.rolloff) != 1).any())
        return frozenset(name for name, is_said in said.items() if is_said) | self.wishes.keys()


@dataclass(frozen=True)
class Place:
    """Where a condition is in a `Conditioning`: stretches, each by its first and its end, and its null value.

    Attributes:
        tokens: of `cross_attention`.
        columns: of `global_`.
        channels: of `concat`.
        null: the number that stands for the dropped condition.
    """

    tokens: tuple[Span, ...] = ()
    columns: tuple[Span, ...] = ()
    channels: tuple[Span, ...] = ()
    null: float = 0.0

    def spans(self) -> Iterator[tuple[str, Span]]:
        """The stretches, with the part of a `Conditioning` that each is in the second axis of."""
        for part, spans in (("concat", self.channels), ("cross_attention", self.tokens), ("global_", self.columns)):
            for span in spans:
                yield part, span


@dataclass(frozen=True)
class Conditioning:
    """What guides a backbone; every part is optional.

    Attributes:
        concat: [b, c, frame], joined to z_t on the channels (the low-resolution latent).
        cross_attention: [b, s, d] tokens to attend to, with `cross_attention_mask` [b, s] (true: attend; numbers are
            added to the scores). Tokens of zeros have keys and values of zero.
        global_: [b, d], joined to the time embedding.
        places: where the conditions are, by name.
        keys_values: what a backbone has made of `cross_attention`, a tensor [b, ...] for each block, so that sampling
            does it once.
    """

    concat: Tensor | None = None
    cross_attention: Tensor | None = None
    cross_attention_mask: Tensor | None = None
    global_: Tensor | None = None
    places: Mapping[str, Place] = field(default_factory=dict)
    keys_values: tuple[Tensor, ...] = ()

    @property
    def parts(self) -> frozenset[str]:
        """The names of the parts that are there."""
        return frozenset(name for name in PARTS if getattr(self, name) is not None)

    def drop(self, conditions: Iterable[str], rows: Tensor | None = None) -> Conditioning:
        """Replace the named conditions by their null value, everywhere or in the `rows` [b] that are true."""
        parts: dict[str, Any] = {}
        for condition in conditions:
            place = self.places.get(condition, Place())
            for part, span in place.spans():
                tensor = parts.get(part, getattr(self, part))
                if tensor is not None:
                    parts[part] = _put(tensor, rows, span, place.null)
        return replace(self, keys_values=(), **parts) if parts else self

    def is_null(self, condition: str) -> bool:
        """Whether `condition` has a place here and is its null value everywhere in it."""
        place = self.places.get(condition, Place())
        found = [(getattr(self, part), span) for part, span in place.spans()]
        dropped = [bool((tensor[:, slice(*span)] == place.null).all()) for tensor, span in found if tensor is not None]
        return bool(dropped) and all(dropped)

    def merge_zero_tokens(self, multiple: int = 1) -> Conditioning:
        """The same for attention with fewer tokens: one of zeros stands for many where the mask adds their log number.

        Captions are short, and without one all of the text is zeros. Conditions cannot be dropped any more.

        Args:
            multiple: of which there are so many tokens then, so that shapes are few.
        """
        if self.cross_attention is None or self.cross_attention_mask is not None:
            return self
        filled = self.cross_attention.ne(0).any(dim=-1)
        length = -(-(int(filled.sum(dim=1).max()) + 1) // multiple) * multiple
        if length >= filled.shape[1]:
            return self
        order = filled.int().argsort(dim=1, descending=True, stable=True)[:, :length]
        tokens = self.cross_attention.take_along_dim(order[..., None], dim=1)
        kept = filled.take_along_dim(order, dim=1)
        number = (~filled).sum(dim=1, keepdim=True) / (~kept).sum(dim=1, keepdim=True)
        mask = number.log().where(~kept, 0.0)
        return replace(self, cross_attention=tokens, cross_attention_mask=mask, places={}, keys_values=())

    @staticmethod
    def stack(branches: Sequence[Conditioning]) -> Conditioning:
        """Join several conditionings with the same parts along the batch."""
        first = branches[0]
        parts: dict[str, Any] = {
            name: torch.cat([getattr(branch, name) for branch in branches]) for name in first.parts
        }
        return replace(first, **parts)

    def repeat(self, times: int) -> Conditioning:
        """Each row `times` times."""
        if times == 1:
            return self
        parts: dict[str, Any] = {name: getattr(self, name).repeat_interleave(times, dim=0) for name in self.parts}
        keys_values = tuple(tensor.repeat_interleave(times, dim=0) for tensor in self.keys_values)
        return replace(self, keys_values=keys_values, **parts)

    def first(self, rows: int) -> Conditioning:
        """Its first rows alone."""
        parts: dict[str, Any] = {name: getattr(self, name)[:rows] for name in self.parts}
        return replace(self, keys_values=tuple(tensor[:rows] for tensor in self.keys_values), **parts)


def _put(tensor: Tensor, rows: Tensor | None, span: tuple[int, int], value: float) -> Tensor:
    """`tensor` [b, ...] with `value` in the `span` of its second axis, everywhere or in the true `rows`."""
    changed = tensor.clone()
    changed[:, span[0] : span[1]] = value
    if rows is None:
        return changed
    return torch.where(rows.reshape(-1, *[1] * (tensor.ndim - 1)), changed, tensor)
