from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch.nn.functional import scaled_dot_product_attention

from saga_sr.backbones.jat import JaT
from saga_sr.backbones.layers import FEW_ROWS, Attention, Linear, attend, rotary_table, rotate
from saga_sr.conditioning import Conditioning
from saga_sr.core.errors import ConfigError

CONF = str(Path(__file__).parents[2] / "conf")


def small(**settings: object) -> JaT:
    defaults: dict = dict(latent_dim=6, condition_dim=6, width=32, depth=2, heads=4, kv_heads=2)
    return JaT(**(defaults | settings))


def awake(model: JaT) -> JaT:
    """With AdaLN-Zero's zeros replaced, so that every path matters."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            if not p.any():
                p.copy_(0.05 * torch.randn(p.shape, generator=generator))
    return model


@pytest.mark.parametrize(
    ("name", "millions", "tolerance"), [("jat_tiny", 8, None), ("jat_v2", 288, 0.02), ("jat_v3", 766, 0.02)]
)
def test_parameter_counts(name: str, millions: float, tolerance: float | None) -> None:
    with initialize_config_dir(CONF, version_base="1.3"):
        overrides = [f"backbone={name}"] + ([] if name == "jat_tiny" else ["codec.latent_dim=1024"])
        config = compose("train", overrides, return_hydra_config=False)
        with torch.device("meta"):
            model = instantiate(config.backbone)
    count = sum(p.numel() for p in model.parameters()) / 1e6
    assert count <= millions if tolerance is None else count == pytest.approx(millions, rel=tolerance)


@pytest.mark.parametrize("head", ["linear", "gaussian"])
@pytest.mark.parametrize("prediction", ["data", "velocity"])
@pytest.mark.parametrize("frames", [1, 7, 130])
def test_prediction_has_the_latents_shape_at_any_length(head: str, prediction: str, frames: int) -> None:
    model = small(head=head, prediction=prediction)
    z, t = torch.randn(3, 6, frames), torch.tensor([0.0, 0.5, 1.0])
    output = model(z, t, Conditioning(concat=torch.randn(3, 6, frames))).value
    assert output.shape == z.shape and bool(output.isfinite().all())


@pytest.mark.parametrize("kv_heads", [4, 2])
@pytest.mark.parametrize("added", [False, True])
def test_attention_in_bfloat16_agrees_with_pytorch(kv_heads: int, added: bool) -> None:
    torch.manual_seed(0)
    shapes = ((2, 4, 33, 16), (2, kv_heads, 33, 16), (2, kv_heads, 33, 16))
    inputs = [torch.randn(shape, dtype=torch.bfloat16, requires_grad=True) for shape in shapes]
    exact = [x.detach().double().requires_grad_() for x in inputs]
    mask = 3 * torch.randn(2, 1, 1, 33) if added else None
    output = attend(*inputs, mask, enable_gqa=True)
    expected = scaled_dot_product_attention(*exact, None if mask is None else mask.double(), enable_gqa=True)
    assert output.dtype == torch.bfloat16
    assert (output - expected).abs().max() < 0.02
    gradient = torch.randn_like(expected)
    output.backward(gradient.bfloat16())
    expected.backward(gradient)
    for x, y in zip(inputs, exact, strict=True):
        assert (x.grad - y.grad).abs().max() < 0.02 * y.grad.abs().max()


@pytest.mark.parametrize("rows", [FEW_ROWS // 2 - 1, FEW_ROWS // 2])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_by_onednn_agrees_with_the_definition(rows: int, bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saga_sr.backbones.layers.mkl_is_slow", lambda: True)
    torch.manual_seed(0)
    layer, x = Linear(48, 80, bias=bias), torch.randn(2, rows, 48, requires_grad=True)
    weight, y = layer.weight.detach().double().requires_grad_(), x.detach().double().requires_grad_()
    output = layer(x)
    assert ("Dense" in output.grad_fn.name()) == (2 * rows >= FEW_ROWS)
    expected = y @ weight.T + (layer.bias.detach() if bias else 0)
    assert torch.allclose(output.double(), expected, atol=1e-5)
    output.square().sum().backward()
    expected.square().sum().backward()
    for ours, exact in ((x.grad, y.grad), (layer.weight.grad, weight.grad)):
        assert (ours - exact).abs().max() < 1e-5 * exact.abs().max()


def test_every_input_reaches_the_output() -> None:
    model = awake(small(head="gaussian"))
    z, c, t = torch.randn(1, 6, 9), torch.randn(1, 6, 9), torch.tensor([0.3])
    base = model(z, t, Conditioning(concat=c)).value
    assert not torch.allclose(base, model(z, t, Conditioning(concat=c + 1)).value, atol=1e-4)
    assert not torch.allclose(base, model(z, t + 0.3, Conditioning(concat=c)).value, atol=1e-4)
    later = z.clone()
    later[..., -1] += 1
    assert not torch.allclose(base[..., 0], model(later, t, Conditioning(concat=c)).value[..., 0], atol=1e-5)


def test_grouped_query_attention_equals_full_attention_with_repeated_heads() -> None:
    grouped, full = Attention(32, 4, 2), Attention(32, 4, 4)
    with torch.no_grad():
        full.to_query.weight.copy_(grouped.to_query.weight)
        full.to_out.weight.copy_(grouped.to_out.weight)
        key_value = grouped.to_key_value.weight.view(2, 2, 8, 32).repeat_interleave(2, dim=1)
        full.to_key_value.weight.copy_(key_value.reshape(64, 32))
    x, table = torch.randn(2, 11, 32), rotary_table(11, 8, torch.device("cpu"))
    assert torch.allclose(grouped(x, table), full(x, table), atol=1e-5)


def test_attention_equals_the_formula_written_out() -> None:
    attention = Attention(16, 2, 2, qk_norm=False)
    x, table = torch.randn(1, 5, 16), rotary_table(5, 8, torch.device("cpu"))
    q, k, v = (
        (x @ w.T).view(1, 5, 2, 8).transpose(1, 2)
        for w in (attention.to_query.weight, *attention.to_key_value.weight.chunk(2))
    )
    q, k = rotate(q, table), rotate(k, table)
    expected = torch.softmax(q @ k.transpose(-1, -2) / 8**0.5, -1) @ v
    expected = expected.transpose(1, 2).reshape(1, 5, 16) @ attention.to_out.weight.T
    assert torch.allclose(attention(x, table), expected, atol=1e-5)


@torch.no_grad()
def test_what_is_joined_to_the_time_is_read_where_a_width_is_given() -> None:
    plain, wide = small(), small(global_dim=6)
    assert plain.global_dim is None and wide.global_dim == 6
    new = wide.state_dict().keys() - plain.state_dict().keys()
    assert new and all(name.startswith("global_embedding.") for name in new)
    for parameter in wide.parameters():
        parameter.normal_(std=0.1)
    z_t, z_lr = (torch.randn(2, wide.latent_dim, 7) for _ in range(2))
    t = torch.tensor([0.3, 0.3])
    one, other = (wide(z_t, t, Conditioning(z_lr, global_=torch.full((2, 6), value))).value for value in (0.0, 1.0))
    assert (one - other).abs().max() > 1e-4


def test_rotary_products_depend_on_distance_alone() -> None:
    table = rotary_table(40, 8, torch.device("cpu"))
    q, k = torch.randn(8).expand(1, 1, 40, 8), torch.randn(8).expand(1, 1, 40, 8)
    logits = (rotate(q, table) @ rotate(k, table).transpose(-1, -2))[0, 0]
    assert torch.allclose(logits[3, 10], logits[25, 32], atol=1e-5)
    assert not torch.allclose(logits[3, 10], logits[3, 20], atol=1e-3)


def test_rotation_agrees_with_complex_multiplication() -> None:
    x, table = torch.randn(2, 3, 7, 8), rotary_table(7, 8, torch.device("cpu"))
    turned = torch.complex(x[..., :4], x[..., 4:]) * torch.complex(table[0], table[1])
    assert torch.allclose(rotate(x, table), torch.cat([turned.real, turned.imag], -1), atol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {"width": 30},
        {"kv_heads": 3},
        {"head": "mixture"},
        {"depth": 0},
        {"head": "gaussian", "prediction": "noise"},
        {"head": "gaussian", "condition_dim": 5},
    ],
)
def test_impossible_settings_are_refused(settings: dict) -> None:
    with pytest.raises(ConfigError):
        small(**settings)
