from __future__ import annotations

import pytest
import torch
from diffusers import StableAudioDiTModel
from diffusers.models.embeddings import get_1d_rotary_pos_embed
from torch import Tensor

from saga_sr.backbones.saga import Saga
from saga_sr.conditioning import Conditioning
from saga_sr.core.errors import ConfigError


def theirs_in_ours(theirs: StableAudioDiTModel) -> dict[str, Tensor]:
    """The state of the other implementation by our names."""
    state = theirs.state_dict()
    ours = {
        "time_features.frequency": state["time_proj.weight"],
        "to_tokens.weight": state["proj_in.weight"],
        "to_latent.weight": state["proj_out.weight"],
        "conv_in.weight": state["preprocess_conv.weight"],
        "conv_out.weight": state["postprocess_conv.weight"],
    }
    for mine, other in (
        ("time_embedding", "timestep_proj"),
        ("global_embedding", "global_proj"),
        ("condition_embedding", "cross_attention_proj"),
    ):
        ours |= {key.replace(other, mine): value for key, value in state.items() if key.startswith(other)}
    for i in range(theirs.config.num_layers):
        block = {
            key.removeprefix(f"transformer_blocks.{i}."): value
            for key, value in state.items()
            if key.startswith(f"transformer_blocks.{i}.")
        }
        renamed = {
            "self_attention.to_qkv.weight": torch.cat([block[f"attn1.to_{x}.weight"] for x in "qkv"]),
            "self_attention.to_out.weight": block["attn1.to_out.0.weight"],
            "cross_attention.to_q.weight": block["attn2.to_q.weight"],
            "cross_attention.to_kv.weight": torch.cat([block[f"attn2.to_{x}.weight"] for x in "kv"]),
            "cross_attention.to_out.weight": block["attn2.to_out.0.weight"],
        }
        for mine, other in (("norm_self", "norm1"), ("norm_cross", "norm2"), ("norm_feed_forward", "norm3")):
            renamed |= {f"{mine}.gain": block[f"{other}.weight"], f"{mine}.bias": block[f"{other}.bias"]}
        for mine, other in (("expand", "ff.net.0.proj"), ("contract", "ff.net.2")):
            renamed |= {f"feed_forward.{mine}.{part}": block[f"{other}.{part}"] for part in ("weight", "bias")}
        ours |= {f"blocks.{i}.{key}": value for key, value in renamed.items()}
    return ours


@pytest.mark.parametrize(
    ("heads", "kv_heads", "head_width", "depth", "frames"), [(4, 2, 16, 2, 19), (6, 3, 8, 1, 40), (2, 2, 64, 3, 1)]
)
@pytest.mark.parametrize("masked", [False, True])
@torch.no_grad()
def test_equals_an_independent_implementation(
    heads: int, kv_heads: int, head_width: int, depth: int, frames: int, masked: bool
) -> None:
    torch.manual_seed(0)
    width, condition = heads * head_width, kv_heads * head_width
    theirs = StableAudioDiTModel(
        in_channels=10, out_channels=10, num_layers=depth, attention_head_dim=head_width, num_attention_heads=heads,
        num_key_value_attention_heads=kv_heads, cross_attention_dim=condition, time_proj_dim=32,
        global_states_input_dim=24, cross_attention_input_dim=20,
    )  # fmt: skip
    for parameter in theirs.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    z, t = torch.randn(3, 10, frames), torch.rand(3)
    text, glob = torch.randn(3, 7, 20), torch.randn(3, 24)
    mask = torch.rand(3, 7) > 0.4 if masked else None
    if mask is not None:
        mask[:, 0] = True
    rotary = get_1d_rotary_pos_embed(head_width // 2, frames + 1, use_real=True, repeat_interleave_real=False)
    expected = theirs(z, t, text, glob[:, None], rotary, return_dict=False, encoder_attention_mask=mask)[0]
    # The other implementation takes in as many channels as it gives out, so there is none to join here.
    ours = Saga(10, 0, width, depth, heads, 20, condition, 24, time_features=32)
    ours.load_state_dict(theirs_in_ours(theirs))
    found = ours(z, t, Conditioning(z[:, :0], text, mask, glob)).value
    assert found.abs().max() > 0.1 and torch.allclose(found, expected, atol=1e-4)


def test_the_paper_has_a_thousand_million_parameters() -> None:
    with torch.device("meta"):
        full = Saga(64, 64, 1536, 24, 24, 768, 768, 1536)
    assert sum(p.numel() for p in full.parameters()) == pytest.approx(1.057e9, rel=0.01)


def test_it_starts_without_the_convolutions_and_works_without_text_and_global_condition() -> None:
    model = Saga(6, 6, 32, 1, 2)
    assert not model.conv_in.weight.any() and not model.conv_out.weight.any()
    assert model.cross_attention_dim is None and model.global_dim is None
    assert model(torch.randn(2, 6, 9), torch.rand(2), Conditioning(torch.randn(2, 6, 9))).value.shape == (2, 6, 9)


def test_widths_that_do_not_fit_are_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match="choose a multiple of 12"):
        Saga(6, 6, 32, 1, 3)
    with pytest.raises(ConfigError, match="choose one of 16, 32, 64"):
        Saga(6, 6, 64, 1, 4, 20, 48)
