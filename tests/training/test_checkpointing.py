"""Blocks that are computed again for their gradient, and networks that are compiled: the same training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from conftest import TINY, TINY_SAGA, awake, model_config
from hydra.utils import instantiate
from torch import Tensor, nn

from saga_sr.backbones.saga import Saga
from saga_sr.conditioning import Conditioning
from saga_sr.conditioning.conditioner import TOKENS_AT_ONCE
from saga_sr.core.errors import ConfigError
from saga_sr.model import SuperResolver
from saga_sr.training.compilation import compile_network

ENVELOPE = [*TINY[:1], "backbone=envelope", "backbone.width=16", "backbone.depth=2", "objective=x_prediction"]


def model(tiny: list[str]) -> SuperResolver:
    torch.manual_seed(0)
    return awake(instantiate(model_config(tiny=tiny))).train()


def gradients(made: SuperResolver, frames: int = 12) -> list[Tensor]:
    """Of the backbone's parameters, for a fixed batch."""
    generator = torch.Generator().manual_seed(1)
    z_t, z_lr = (torch.randn(2, made.codec.latent_dim, frames, generator=generator) for _ in range(2))
    made.zero_grad()
    prediction = made.backbone(z_t, torch.tensor([0.3, 0.7]), Conditioning(concat=z_lr))
    prediction.value.square().mean().backward()
    return [parameter.grad.clone() for parameter in made.backbone.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("tiny", [TINY, TINY_SAGA, ENVELOPE], ids=["jat", "saga", "envelope"])
def test_gradients_are_the_same_and_less_is_kept(tiny: list[str]) -> None:
    made = model(tiny)
    plain = gradients(made)
    runs: list[int] = []
    for block in made.backbone.blocks:
        block.register_forward_pre_hook(lambda *_: runs.append(1))
    made.backbone.checkpointing = True
    again = gradients(made)
    assert plain and all(torch.equal(x, y) for x, y in zip(plain, again, strict=True))
    assert len(runs) == 2 * len(made.backbone.blocks)  # once forward, once for the gradient
    runs.clear()
    with torch.no_grad():
        made.backbone(
            torch.zeros(1, made.codec.latent_dim, 4),
            torch.zeros(1),
            Conditioning(concat=torch.ones(1, made.codec.latent_dim, 4)),
        )
    assert len(runs) == len(made.backbone.blocks)


def test_an_epoch_compiles_each_shape_once() -> None:
    """Counted by a compiler that writes no code."""
    graphs: list[int] = []

    def counting(graph: nn.Module, _: Any) -> Any:
        graphs.append(1)
        return graph.forward

    made = model(TINY)
    plain = gradients(made)
    torch._dynamo.reset()
    made.backbone.compile(backend=counting, dynamic=False)
    names = list(made.state_dict())
    first = gradients(made)
    assert all(torch.allclose(x, y, rtol=1e-4, atol=1e-6) for x, y in zip(plain, first, strict=True))
    after_one = len(graphs)
    for _ in range(5):
        gradients(made)
        with torch.no_grad():  # a step of the optimizer
            for parameter in made.backbone.parameters():
                parameter.add_(1e-3)
    assert len(graphs) == after_one >= 1
    assert names == list(model(TINY).state_dict())


def test_captions_of_any_length_are_compiled_in_a_few_lengths() -> None:
    """As training makes them of T5's 128 tokens and two numbers."""
    lengths: set[int] = set()
    graphs: list[int] = []

    def counting(graph: nn.Module, _: Any) -> Any:
        graphs.append(1)
        return graph.forward

    backbone = Saga(8, 8, 32, 1, 2, cross_attention_dim=16, cross_attention_width=16)
    torch._dynamo.reset()
    backbone.compile(backend=counting, dynamic=False)
    z = torch.ones(2, 8, 12)
    for filled in (*range(0, 130, 7), *range(130, 0, -11)):
        tokens = torch.ones(2, 130, 16)
        tokens[:, filled:] = 0
        conditioning = Conditioning(z, tokens).merge_zero_tokens(TOKENS_AT_ONCE)
        assert conditioning.cross_attention is not None
        backbone(z, torch.tensor([0.3, 0.7]), conditioning).value.square().mean().backward()
        lengths.add(conditioning.cross_attention.shape[1])
    assert lengths == {32, 64, 96, 128, 130}
    assert len(graphs) == len(lengths)


def test_what_cannot_be_compiled_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = model(TINY).backbone
    with pytest.raises(ConfigError, match=r"bf16-mixed for a CPU; add trainer\.precision=32-true"):
        compile_network(backbone, "cpu", "bf16-mixed")
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ConfigError, match="no-such-compiler"):
        compile_network(backbone, "cpu", "32-true")
