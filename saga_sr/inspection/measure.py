"""What a computation takes, even of tensors without values: operations, memory kept for backward, memory at once."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


@contextmanager
def counting_flops() -> Iterator[FlopCounterMode]:
    """Counts floating-point operations of matrix products, convolutions and attention; `get_total_flops()` says them.

    A multiplication and the addition of its product count as two; what goes element by element does not count.
    Attention counts as the two products that it is, in either direction: that a fused one computes its weights again
    for the gradient is left out.
    """
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        yield counter


def count_saved_bytes(forward: Callable[[], object], apart: Iterable[Tensor]) -> int:
    """Bytes of all that autograd keeps of `forward` for its gradient, a storage that is kept twice counted once.

    Args:
        apart: tensors that are there anyway, such as weights.
    """
    known = {_storage_id(tensor) for tensor in apart}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        # Held on to, so that no other storage can come to have its identity.
        kept[_storage_id(tensor)] = tensor.untyped_storage()
        return tensor

    with FusedAttention(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        forward()
    return sum(storage.nbytes() for name, storage in kept.items() if name not in known)


def count_peak_bytes(compute: Callable[[], object]) -> int:
    """The most bytes that the tensors made within `compute` take at once."""
    tracker = LiveBytes()
    with FusedAttention(), tracker:
        compute()
    return tracker.peak


@contextmanager
def autocast(dtype: torch.dtype | None) -> Iterator[None]:
    """Autocast to `dtype` as a GPU does it, on a machine that may have none; None is float32 throughout.

    What runs in which precision differs between CPU and GPU, and `torch.autocast` does nothing for a GPU that is not
    there.
    """
    with torch.autocast("cuda", enabled=False):
        if dtype is not None:
            torch.set_autocast_dtype("cuda", dtype)
            torch.set_autocast_enabled("cuda", True)
        yield


class FusedAttention(TorchFunctionMode):
    """Takes attention for the fused kernel that a GPU has, which never holds the weights of all pairs.

    Without it PyTorch would choose by what this machine has.
    """

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is scaled_dot_product_attention:
            query, key, value = args[:3]
            return torch.ops.aten._scaled_dot_product_flash_attention(query, key, value)[0]
        return func(*args, **(kwargs or {}))


class LiveBytes(TorchDispatchMode):
    """Follows the storages of all tensors that operations return, from their making to their end.

    Attributes:
        peak: the most bytes at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.followed: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        before = {_storage_id(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and _storage_id(leaf) not in before | self.followed:
                self._follow(leaf.untyped_storage())
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        name, size = storage._cdata, storage.nbytes()
        self.followed.add(name)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, name, size)

    def _forget(self, name: int, size: int) -> None:
        self.followed.discard(name)
        self.now -= size


def _storage_id(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
