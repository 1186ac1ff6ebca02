"""Tiny Stable Audio checkpoints of the real classes, in both public layouts and the official SAGA-SR code's."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import StableAudioDiTModel
from diffusers.pipelines.stable_audio.modeling_stable_audio import StableAudioProjectionModel
from safetensors.torch import save_file
from torch import Tensor

# Sizes that `OURS` agrees with.
LATENT, WIDTH, HEADS, DEPTH, CONDITION = 6, 32, 4, 2, 16
OURS = [
    "backbone=saga_small",
    "codec.latent_dim=6",
    "objective=velocity",
    "sampler.steps=2",
    f"backbone.width={WIDTH}",
    f"backbone.heads={HEADS}",
    f"backbone.depth={DEPTH}",
    f"backbone.cross_attention_width={CONDITION}",
]


def make_transformer() -> StableAudioDiTModel:
    """A transformer of random weights, without zeros that would hide what is not connected."""
    torch.manual_seed(0)
    model = StableAudioDiTModel(
        in_channels=LATENT, out_channels=LATENT, num_layers=DEPTH, attention_head_dim=WIDTH // HEADS,
        num_attention_heads=HEADS, num_key_value_attention_heads=CONDITION * HEADS // WIDTH,
        cross_attention_dim=CONDITION, time_proj_dim=256, global_states_input_dim=2 * CONDITION,
        cross_attention_input_dim=CONDITION,
    )  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def make_numbers() -> StableAudioProjectionModel:
    """The embeddings of `seconds_start` and `seconds_total`."""
    torch.manual_seed(1)
    return StableAudioProjectionModel(CONDITION, CONDITION, min_value=0, max_value=512)


def write_diffusers(folder: Path, prediction: str = "v_prediction") -> Path:
    """A diffusers folder."""
    make_transformer().save_pretrained(folder / "transformer")
    make_numbers().save_pretrained(folder / "projection_model")
    scheduler: dict[str, object] = {"_class_name": "CosineDPMSolverMultistepScheduler", "prediction_type": prediction}
    if prediction == "flow":
        scheduler = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    return folder


def original_transformer() -> dict[str, Tensor]:
    """The transformer's tensors as Stable Audio's own code names them."""
    theirs = make_transformer().state_dict()
    stem = {
        "time_proj.weight": "timestep_features.weight",
        "proj_in.weight": "transformer.project_in.weight",
        "proj_out.weight": "transformer.project_out.weight",
        "preprocess_conv.weight": "preprocess_conv.weight",
        "postprocess_conv.weight": "postprocess_conv.weight",
    }
    state = {ours: theirs[name] for name, ours in stem.items()}
    state["timestep_features.weight"] = state["timestep_features.weight"][:, None]
    pairs = (
        ("timestep_proj", "to_timestep_embed"),
        ("cross_attention_proj", "to_cond_embed"),
        ("global_proj", "to_global_embed"),
    )
    for name, ours in pairs:
        state |= {key.replace(name, ours): value for key, value in theirs.items() if key.startswith(name)}
    for i in range(DEPTH):

        def block(name: str, i: int = i) -> Tensor:
            return theirs[f"transformer_blocks.{i}.{name}"]

        layer = {
            "self_attn.to_qkv.weight": torch.cat([block(f"attn1.to_{x}.weight") for x in "qkv"]),
            "self_attn.to_out.weight": block("attn1.to_out.0.weight"),
            "cross_attn.to_q.weight": block("attn2.to_q.weight"),
            "cross_attn.to_kv.weight": torch.cat([block(f"attn2.to_{x}.weight") for x in "kv"]),
            "cross_attn.to_out.weight": block("attn2.to_out.0.weight"),
        }
        for mine, other in (("pre_norm", "norm1"), ("cross_attend_norm", "norm2"), ("ff_norm", "norm3")):
            layer |= {f"{mine}.gamma": block(f"{other}.weight"), f"{mine}.beta": block(f"{other}.bias")}
        for mine, other in (("ff.ff.0.proj", "ff.net.0.proj"), ("ff.ff.2", "ff.net.2")):
            layer |= {f"{mine}.{part}": block(f"{other}.{part}") for part in ("weight", "bias")}
        state |= {f"transformer.layers.{i}.{key}": value for key, value in layer.items()}
    return state | {"transformer.rotary_pos_emb.inv_freq": torch.ones(2)}


def original_numbers(*names: str) -> dict[str, Tensor]:
    """Number embeddings as Stable Audio's own code names them."""
    numbers = make_numbers().state_dict()
    state = {}
    for name, theirs in zip(names, ("start", "end"), strict=True):
        source = f"{theirs}_number_conditioner.time_positional_embedding."
        state |= {
            f"conditioner.conditioners.{name}.embedder.embedding.{key.removeprefix(source)}": value
            for key, value in numbers.items()
            if key.startswith(source)
        }
    return state


def write_original(folder: Path, objective: str = "v", name: str = "model.safetensors", ema: bool = False) -> Path:
    """The original single file, with its config beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    transformer = original_transformer()
    state = {f"model.model.{key}": value for key, value in transformer.items()}
    state |= original_numbers("seconds_start", "seconds_total")
    state["pretransform.model.encoder.layers.0.bias"] = torch.zeros(3)
    if ema:
        state = {f"diffusion.{key}": value for key, value in state.items()}
        state |= {f"diffusion_ema.ema_model.model.{key}": value for key, value in transformer.items()}
        state |= {key: value + 1 for key, value in state.items() if key.startswith("diffusion.model.")}
    if name.endswith(".safetensors"):
        save_file({key: value.contiguous().clone() for key, value in state.items()}, folder / name)
    else:
        torch.save({"state_dict": state, "global_step": 7}, folder / name)
    config = {"model": {"diffusion": {"diffusion_objective": objective}, "pretransform": {"scale": 0.5}}}
    (folder / "model_config.json").write_text(json.dumps(config))
    return folder / name


def write_official(path: Path) -> Path:
    """A checkpoint of the official SAGA-SR code, whose input takes z_lr already."""
    state = original_transformer()
    torch.manual_seed(2)
    state["preprocess_conv.weight"] = 0.1 * torch.randn(2 * LATENT, 2 * LATENT, 1)
    state["transformer.project_in.weight"] = torch.randn(WIDTH, 2 * LATENT)
    state = {f"model.{key}": value for key, value in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state | original_numbers("input_cutoff_ratio", "output_cutoff_ratio"), path)
    return path
