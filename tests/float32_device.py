"""A device that refuses float64, as Apple's GPU does: its tensors say that they are there, and are computed on the CPU.

Who uses it makes no number of float64 there, not even on the way, and mixes no tensors of two devices.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

NAME = "single"
# Operators that take tensors of two devices on any device, indices on the CPU among them.
ACROSS = {"aten::_to_copy", "aten::copy_", "aten::index", "aten::index_put_", "aten::_index_put_impl_"}


class Backend:
    """What PyTorch asks of a device: its number types under autocast, its random state."""

    device_count = staticmethod(lambda: 1)
    is_available = staticmethod(lambda: True)
    current_device = staticmethod(lambda: 0)
    get_amp_supported_dtype = staticmethod(lambda: [torch.bfloat16, torch.float16])
    _is_in_bad_fork = staticmethod(lambda: False)
    manual_seed_all = staticmethod(lambda seed: None)


backend_registration._setup_privateuseone_for_python_backend(NAME, Backend())
DEVICE = torch.device(NAME, 0)


class OnDevice(Tensor):
    """A tensor of the device; `held` is the one on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> OnDevice:
        if held.dtype in (torch.float64, torch.complex128):
            raise TypeError(f"the device {NAME} has no {held.dtype}")
        held = held.resolve_conj().resolve_neg()  # below a mode nobody else does
        tensor = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, held.stride(), held.storage_offset(), dtype=held.dtype, device=DEVICE
        )
        tensor.held = held
        return tensor

    def __repr__(self, **_: Any) -> str:
        return f"OnDevice({self.held!r})"

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


class Making(TorchDispatchMode):
    """Where tensors can be made on the device, or moved to it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """What an operator gives: on the device if its arguments are, or if it is told to make it there."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there = any(isinstance(tensor, OnDevice) for tensor in tensors)
    strangers = [tensor.shape for tensor in tensors if not isinstance(tensor, OnDevice) and tensor.ndim > 0]
    if there and strangers and func._schema.name not in ACROSS:
        raise RuntimeError(f"{func} is given tensors on {NAME} and, of shapes {strangers}, on the CPU")
    if (device := kwargs.get("device")) is not None:
        there = torch.device(device).type == NAME
        kwargs = {**kwargs, "device": torch.device("cpu")}
    held_args, held_kwargs = tree_map_only(OnDevice, lambda tensor: tensor.held, (args, kwargs))
    result = func(*held_args, **held_kwargs)
    if not there:
        return result
    return return_and_correct_aliasing(func, args, kwargs, tree_map_only(Tensor, OnDevice, result))


@pytest.fixture
def float32_device() -> Iterator[torch.device]:
    """The device, while tensors can be made there."""
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)  # what torch.tensor makes is moved where a mode sees it
    with Making():
        yield DEVICE
    torch._C._set_only_lift_cpu_tensors(before)
