"""A network of someone else's that is used and never trained."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import chain
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn


class PretrainedNetwork(nn.Module):
    """Holds a network that is never trained: in eval mode, without gradients, in float32 or whatever it came in.

    The network is no submodule, so no `state_dict`, optimiser, DDP or weight average meets it. It follows moves
    between devices, but no change of dtype. A deep copy of the holder shares the network as long as both are on the
    same device; moving one leaves the other's where it is. Pickling a holder pickles its network.

    Args:
        network: any module; taken over, not copied.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.training = False
        network.eval().requires_grad_(False)
        for module in network.modules():
            for name, value in list(vars(module).items()):
                if isinstance(value, Tensor):
                    # weight_norm keeps its product as an attribute with a graph, which deepcopy refuses.
                    vars(module)[name] = value.detach()
        self._hold(network, WeakValueDictionary())

    def _hold(self, network: nn.Module, places: WeakValueDictionary[torch.device, nn.Module]) -> None:
        # In a tuple, where nn.Module does not look for submodules. `places` is common to all copies of a holder and
        # forgets a device's network with its last holder.
        self._held = (network,)
        self._places = places
        self._places[_device(network)] = network

    @property
    def network(self) -> Any:
        """The network itself."""
        return self._held[0]

    def train(self, mode: bool = True) -> PretrainedNetwork:
        """Stays in evaluation mode."""
        return super().train(False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> PretrainedNetwork:
        super()._apply(fn, recurse)
        here = _device(self.network)
        there = fn(torch.empty(0, device=here)).device
        if there != here:
            network = self._places.get(there)
            # A copy is moved, since others may hold this one: an average kept on the CPU must not pull it from the GPU.
            self._hold(copy.deepcopy(self.network).to(there) if network is None else network, self._places)
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> PretrainedNetwork:
        twin = PretrainedNetwork.__new__(type(self))
        nn.Module.__init__(twin)
        twin.training = False
        twin._hold(self.network, self._places)
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_places"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._hold(self.network, WeakValueDictionary())


def _device(network: nn.Module) -> torch.device:
    return next(chain(network.parameters(), network.buffers())).device
