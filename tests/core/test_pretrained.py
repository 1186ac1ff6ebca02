from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import weight_norm
from torch.optim.swa_utils import AveragedModel

from saga_sr.core.pretrained import PretrainedNetwork


class Holder(nn.Module):
    """A model with one trained layer and one frozen network."""

    def __init__(self, frozen: PretrainedNetwork) -> None:
        super().__init__()
        self.frozen = frozen
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.frozen.network(x))


@pytest.fixture
def holder() -> Holder:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    return Holder(PretrainedNetwork(network))


def test_nobody_trains_saves_or_counts_it(holder: Holder) -> None:
    assert set(holder.state_dict()) == {"head.weight", "head.bias"}
    assert len(list(holder.parameters())) == 2 and not list(holder.buffers())
    assert not any(isinstance(module, nn.BatchNorm1d) for module in holder.modules())
    holder(torch.randn(5, 3)).sum().backward()
    assert holder.head.weight.grad is not None
    assert all(parameter.grad is None for parameter in holder.frozen.network.parameters())
    holder.load_state_dict(holder.state_dict())


def test_it_stays_in_eval_mode_without_gradients(holder: Holder) -> None:
    holder.train().requires_grad_(True)
    assert holder.training and not holder.frozen.training
    assert not any(module.training for module in holder.frozen.network.modules())
    assert not any(parameter.requires_grad for parameter in holder.frozen.network.parameters())


def test_a_change_of_dtype_passes_it_by(holder: Holder) -> None:
    network = holder.frozen.network
    holder.to(torch.bfloat16).double().half()
    assert holder.head.weight.dtype == torch.float16
    assert holder.frozen.network is network
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_it_follows_moves_and_leaves_copies_where_they_are(holder: Holder) -> None:
    average = copy.deepcopy(holder)
    holder.to("meta", torch.bfloat16)
    assert {p.device.type for p in holder.frozen.network.parameters()} == {"meta"}
    assert {p.dtype for p in holder.frozen.network.parameters()} == {torch.float32}
    assert {p.device.type for p in average.frozen.network.parameters()} == {"cpu"}
    assert average(torch.randn(2, 3)).shape == (2, 2)
    average.to("meta")
    assert average.frozen.network is holder.frozen.network


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_it_follows_to_the_gpu_and_back(holder: Holder) -> None:
    x, twin = torch.randn(2, 3), copy.deepcopy(holder)
    expected = holder(x)
    assert torch.allclose(holder.cuda()(x.cuda()).cpu(), expected, atol=1e-4)
    assert torch.equal(twin(x), expected)
    holder.cpu()
    assert holder.frozen.network is twin.frozen.network
    assert torch.equal(holder(x), expected)


def test_deep_copies_share_it(holder: Holder) -> None:
    for twin in (copy.deepcopy(holder), AveragedModel(holder).module):
        assert twin.frozen is not holder.frozen and twin.head is not holder.head
        assert twin.frozen.network is holder.frozen.network
        assert not twin.train().frozen.training


def test_pickling_keeps_it_whole(holder: Holder) -> None:
    x = torch.randn(2, 3)
    loaded = pickle.loads(pickle.dumps(holder))
    assert torch.equal(loaded(x), holder(x))
    assert loaded.frozen.network is not holder.frozen.network
    assert copy.deepcopy(loaded).frozen.network is loaded.frozen.network
    assert set(loaded.state_dict()) == set(holder.state_dict())


def test_a_network_with_weight_norm_can_be_moved() -> None:
    frozen = PretrainedNetwork(weight_norm(nn.Conv1d(2, 3, 5)))
    assert frozen.to("meta").network(torch.randn(1, 2, 9, device="meta")).shape == (1, 3, 5)
