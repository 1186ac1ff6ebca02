"""Checkpoints in parts: folders in which each process of a training has written its own part of the tensors.

The parts are safetensors files as `torch.distributed.checkpoint` writes them; all that is no large tensor is in one
file beside them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

REST = "rest.ckpt"
# What of a checkpoint is taken apart.
LARGE = ("state_dict", "current_model_state", "optimizer_states")


def split(checkpoint: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The large tensors of `checkpoint` by name, and all else with their places and shapes."""
    tensors: dict[str, Tensor] = {}
    places: list[tuple[list[str | int], list[int]]] = []

    def without(value: Any, *place: str | int) -> Any:
        if isinstance(value, Tensor):
            tensors[_name(place)] = value
            places.append(([*place], [*value.shape]))
            return None
        if isinstance(value, dict):
            return {key: without(entry, *place, key) for key, entry in value.items()}
        if isinstance(value, list):
            return [without(entry, *place, i) for i, entry in enumerate(value)]
        return value

    rest = {key: without(value, key) if key in LARGE else value for key, value in checkpoint.items()}
    return tensors, rest | {"places": places}


def join(folder: Path) -> dict[str, Any]:
    """The checkpoint whose parts are in `folder`, with whole tensors.

    Raises:
        ValueError: a part is missing.
        Exception: a damaged file; PyTorch raises whatever its bytes lead to.
    """
    rest = torch.load(folder / REST, map_location="cpu", weights_only=True)
    shapes = {_name(place): shape for place, shape in rest["places"]}
    whole: dict[str, Tensor] = {}
    filled = dict.fromkeys(shapes, 0)
    for opened, name, offsets in _parts(folder):
        part = opened.get_tensor(name)
        if [*part.shape] == shapes[name]:
            whole[name] = part
        else:
            target = whole.setdefault(name, torch.empty(shapes[name], dtype=part.dtype))
            target[tuple(slice(first, first + n) for first, n in zip(offsets, part.shape, strict=True))] = part
        filled[name] += part.numel()
    if any(filled[name] != math.prod(shape) for name, shape in shapes.items()):
        raise ValueError(f"Parts of the checkpoint {folder} are missing.")
    for place, _ in rest.pop("places"):
        *outer, last = place
        at = rest
        for key in outer:
            at = at[key]
        at[last] = whole[_name(place)]
    return rest


def is_whole(folder: Path) -> bool:
    """Whether every part is there, by the headers of the files."""
    try:
        rest = torch.load(folder / REST, map_location="cpu", weights_only=True)
        left = {_name(place): math.prod(shape) for place, shape in rest["places"]}
        for opened, name, _ in _parts(folder):
            left[name] -= math.prod(opened.get_slice(name).get_shape())
    except Exception:
        # torch.load raises whatever broken bytes lead it to.
        return False
    return not any(left.values())


def _parts(folder: Path) -> Iterator[tuple[Any, str, list[int]]]:
    """Each part: its open file, its name, and where in the whole it begins."""
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as opened:
            begins = json.loads((opened.metadata() or {}).get("DCP_SHARDING_INFO", "{}"))
            for name in opened.keys():  # noqa: SIM118  # no dictionary
                yield opened, name, begins[name]["saved_offsets"]


def _name(place: list[str | int] | tuple[str | int, ...]) -> str:
    return "/".join(map(str, place))
