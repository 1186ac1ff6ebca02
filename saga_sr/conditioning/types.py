"""The types between conditioners and backbones: the values of a batch's conditions, and what a backbone gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

PARTS = ("concat", "cross_attention", "cross_attention_mask", "global_")
NOWHERE = (0, 0)


@dataclass(frozen=True)
class ConditionValues:
    """The values of the conditions of a batch of clips, before they are embedded.

    Attributes:
        captions: what each clip contains; empty where unknown.
        rolloff: [b, 2], roll-off of the input and of the target as shares of Nyquist.
    """

    captions: Sequence[str]
    rolloff: Tensor


@dataclass(frozen=True)
class ConditionRequest:
    """What a user asks for recordings to be restored by.

    Attributes:
        audio: [b, c, time], the low-resolution recordings, or excerpts of them.
        sample_rate: Hz.
        cutoff_hz: [b], where their content ends.
        prompts: what each contains; empty where nothing is said.
        rolloff: how bright they become, 1 being full band, one for all or [b].
        wishes: what other conditions are asked for, by name.
    """

    audio: Tensor
    sample_rate: int
    cutoff_hz: Tensor
    prompts: Sequence[str]
    rolloff: float | Tensor = 1.0
    wishes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where a condition is: the first and the end of its tokens of `cross_attention` and columns of `global_`."""

    tokens: tuple[int, int] = NOWHERE
    columns: tuple[int, int] = NOWHERE


@dataclass(frozen=True)
class Conditioning:
    """What guides a backbone; every part is optional.

    Attributes:
        concat: [b, c, frame], joined to z_t on the channels (the low-resolution latent, condition `acoustic`).
        cross_attention: [b, s, d] tokens to attend to, with `cross_attention_mask` [b, s] (true: attend; numbers are
            added to the scores). Tokens of zeros have keys and values of zero.
        global_: [b, d], joined to the time embedding.
        concat_null: the constant that stands for a dropped `concat`.
        places: where the conditions other than `acoustic` are; their null value is zero.
        keys_values: what a backbone has made of `cross_attention`, a tensor [b, ...] for each block, so that sampling
            does it once.
    """

    concat: Tensor | None = None
    cross_attention: Tensor | None = None
    cross_attention_mask: Tensor | None = None
    global_: Tensor | None = None
    concat_null: float = 0.0
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
            if condition == "acoustic" and self.concat is not None:
                parts["concat"] = _put(self.concat, rows, (0, self.concat.shape[1]), self.concat_null)
            place = self.places.get(condition, Place())
            for name, span in (("cross_attention", place.tokens), ("global_", place.columns)):
                tensor = parts.get(name, getattr(self, name))
                if tensor is not None and span != NOWHERE:
                    parts[name] = _put(tensor, rows, span, 0.0)
        return replace(self, keys_values=(), **parts) if parts else self

    def is_null(self, condition: str) -> bool:
        """Whether `condition` has a place beside `concat` and is its null value everywhere there."""
        if condition not in self.places:
            return False
        place = self.places[condition]
        parts = ((self.cross_attention, place.tokens), (self.global_, place.columns))
        return not any(bool(tensor[:, slice(*span)].any()) for tensor, span in parts if tensor is not None)

    def merge_zero_tokens(self) -> Conditioning:
        """The same for attention with fewer tokens: one of zeros stands for many where the mask adds their log number.

        Captions are short, and without one all of the text is zeros. Conditions cannot be dropped any more.
        """
        if self.cross_attention is None or self.cross_attention_mask is not None:
            return self
        filled = self.cross_attention.ne(0).any(dim=-1)
        length = int(filled.sum(dim=1).max()) + 1
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


def _put(tensor: Tensor, rows: Tensor | None, span: tuple[int, int], value: float) -> Tensor:
    """`tensor` [b, ...] with `value` in the `span` of its second axis, everywhere or in the true `rows`."""
    changed = tensor.clone()
    changed[:, span[0] : span[1]] = value
    if rows is None:
        return changed
    return torch.where(rows.reshape(-1, *[1] * (tensor.ndim - 1)), changed, tensor)
