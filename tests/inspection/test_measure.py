from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.functional import scaled_dot_product_attention
from torch.profiler import ProfilerActivity, profile

from saga_sr.backbones.jat import JaT
from saga_sr.backbones.saga import Saga
from saga_sr.conditioning import Conditioning
from saga_sr.inspection.measure import autocast, count_peak_bytes, count_saved_bytes, counting_flops


def small(name: str) -> nn.Module:
    if name == "jat":
        # Without the normalisation of queries and keys, which is one operation on a GPU and several on the CPU.
        return JaT(24, 24, width=64, depth=3, heads=4, kv_heads=2, qk_norm=False)
    return Saga(24, 24, 64, 3, 4, cross_attention_dim=32, cross_attention_width=32, global_dim=48)


def loss(model: nn.Module, device: str) -> Tensor:
    z, told = torch.zeros(4, 24, 50, device=device), {}
    if isinstance(model, Saga):
        told = {
            "cross_attention": torch.zeros(4, 9, 32, device=device),
            "global_": torch.zeros(4, 48, device=device),
        }
    return model(z, torch.zeros(4, device=device), Conditioning(concat=z, **told)).value.square().mean()


@pytest.mark.parametrize("name", ["jat", "saga"])
def test_what_is_kept_for_backward_is_what_the_cpu_allocates_and_does_not_free(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The allocator's own account of a real forward, by PyTorch's profiler, which does not see oneDNN's."""
    monkeypatch.setattr("saga_sr.backbones.layers.mkl_is_slow", lambda: False)
    model = small(name)
    loss(model, "cpu")
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        kept = loss(model, "cpu")
    allocated = sum(event.self_cpu_memory_usage for event in record.key_averages())
    assert kept.requires_grad and allocated > 100_000
    with FakeTensorMode(), torch.device("cuda"):
        outlined = small(name)
        found = count_saved_bytes(lambda: loss(outlined, "cuda"), outlined.parameters())
    assert found == pytest.approx(allocated, rel=0.01)


def test_a_storage_is_counted_once_and_weights_not_at_all() -> None:
    layer = nn.Linear(10, 10, bias=False)

    def forward() -> Tensor:
        x = torch.ones(5, 10, requires_grad=True) + 0
        return (x * x.view(50).view(5, 10)).sum() + layer(x).sum()

    assert count_saved_bytes(forward, layer.parameters()) == 5 * 10 * 4
    assert count_saved_bytes(forward, []) == 5 * 10 * 4 + 10 * 10 * 4


def test_autocast_is_a_gpus_where_there_is_none() -> None:
    """Products run in the low precision, normalisation in float32; and all is over afterwards."""
    with FakeTensorMode(), torch.device("cuda"):
        x, layer, norm = torch.zeros(2, 8), nn.Linear(8, 8), nn.LayerNorm(8)
        with autocast(torch.bfloat16):
            product = layer(x)
            assert product.dtype == torch.bfloat16 and norm(product).dtype == torch.float32
            with torch.autocast("cuda", enabled=False):
                assert layer(x).dtype == torch.float32
        assert layer(x).dtype == torch.float32
        with autocast(None):
            assert layer(x).dtype == torch.float32


def test_attention_keeps_no_weights_of_pairs() -> None:
    with FakeTensorMode(), torch.device("cuda"):
        query = torch.zeros(1, 1, 1000, 8, requires_grad=True)
        key = torch.zeros(1, 1, 1000, 8, requires_grad=True)
        kept = count_saved_bytes(lambda: scaled_dot_product_attention(query, key, key).sum(), [])
    assert 3 * 1000 * 8 * 4 <= kept < 4 * 1000 * 8 * 4  # query, key and value as one, output; a number for each row


def test_the_peak_is_of_what_lives_at_once() -> None:
    def compute() -> None:
        a = torch.zeros(1000)
        b = a + 1
        del a
        b += 1
        c = b[10:] * 2
        del b, c

    assert count_peak_bytes(compute) == 4 * (1000 + 1000)
    with FakeTensorMode(), torch.device("cuda"):
        assert count_peak_bytes(compute) == 4 * (1000 + 1000)


def test_attention_and_products_are_counted_in_both_directions() -> None:
    b, h, n, m, w = 2, 4, 10, 7, 8
    for shared in (1, 4):  # key-value heads
        query = torch.zeros(b, h, n, w, requires_grad=True)
        key, value = (torch.zeros(b, shared, m, w, requires_grad=True) for _ in range(2))
        with counting_flops() as counter:
            attended = scaled_dot_product_attention(query, key, value, enable_gqa=shared != h)
            assert counter.get_total_flops() == 2 * (2 * b * h * n * m * w)
            attended.sum().backward()
            assert counter.get_total_flops() == 3 * 2 * (2 * b * h * n * m * w)
