"""What is found in a file or folder of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from saga_sr.weights.tensor_files import Tensors


@dataclass(frozen=True)
class Entry:
    """A tensor in a file.

    Attributes:
        name, shape, dtype: in the file.
        size: bytes.
        ours: the name of what it would become; None where nothing takes it.
        unused: why nothing does, where the layout tells.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    size: int
    ours: str | None
    unused: str | None = None


@dataclass(frozen=True)
class Contents:
    """What a file or folder was recognised as, what else it says (a sentence each), and its tensors."""

    recognised: str
    facts: list[str]
    entries: list[Entry]


def entries(tensors: Tensors, ours: Mapping[str, str], unused: Mapping[str, str] | None = None) -> list[Entry]:
    """An entry for each of `tensors`.

    Args:
        ours, unused: see `Entry`, by the names in the file.
    """
    found = []
    for name, tensor in tensors.items():
        dtype, why = str(tensor.dtype).removeprefix("torch."), (unused or {}).get(name)
        found.append(Entry(name, tuple(tensor.shape), dtype, tensor.nbytes, ours.get(name), why))
    return found
