"""Weights of Stable Audio Open and of the official SAGA-SR code, by the names that `Saga` and its conditions have.

Three layouts are read: the original single file (`model.safetensors` or `.ckpt` with `model_config.json` beside it),
a diffusers folder (`transformer/`, `projection_model/`, `scheduler/`), and a checkpoint of the official SAGA-SR code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from saga_sr.core.errors import WeightsError
from saga_sr.weights.tensor_files import Tensors, load_tensors

# What the original names of a block become. Norms keep their fixed bias, which is zero.
BLOCK = {
    "pre_norm.gamma": "norm_self.gain",
    "pre_norm.beta": "norm_self.bias",
    "self_attn.to_qkv.weight": "self_attention.to_qkv.weight",
    "self_attn.to_out.weight": "self_attention.to_out.weight",
    "cross_attend_norm.gamma": "norm_cross.gain",
    "cross_attend_norm.beta": "norm_cross.bias",
    "cross_attn.to_q.weight": "cross_attention.to_q.weight",
    "cross_attn.to_kv.weight": "cross_attention.to_kv.weight",
    "cross_attn.to_out.weight": "cross_attention.to_out.weight",
    "ff_norm.gamma": "norm_feed_forward.gain",
    "ff_norm.beta": "norm_feed_forward.bias",
    "ff.ff.0.proj.weight": "feed_forward.expand.weight",
    "ff.ff.0.proj.bias": "feed_forward.expand.bias",
    "ff.ff.2.weight": "feed_forward.contract.weight",
    "ff.ff.2.bias": "feed_forward.contract.bias",
}
STEM = {
    "timestep_features.weight": "time_features.frequency",
    "preprocess_conv.weight": "conv_in.weight",
    "postprocess_conv.weight": "conv_out.weight",
    "transformer.project_in.weight": "to_tokens.weight",
    "transformer.project_out.weight": "to_latent.weight",
    **{
        f"{theirs}.{layer}": f"{ours}.{layer}"
        for theirs, ours in (
            ("to_timestep_embed", "time_embedding"),
            ("to_cond_embed", "condition_embedding"),
            ("to_global_embed", "global_embedding"),
        )
        for layer in ("0.weight", "0.bias", "2.weight", "2.bias")
    },
}
# diffusers' names of the same, in the original's words.
DIFFUSERS = {
    "time_proj.weight": "timestep_features.weight",
    "timestep_proj.": "to_timestep_embed.",
    "cross_attention_proj.": "to_cond_embed.",
    "global_proj.": "to_global_embed.",
    "proj_in.": "transformer.project_in.",
    "proj_out.": "transformer.project_out.",
}
DIFFUSERS_BLOCK = {
    "norm1.weight": "pre_norm.gamma",
    "norm1.bias": "pre_norm.beta",
    "norm2.weight": "cross_attend_norm.gamma",
    "norm2.bias": "cross_attend_norm.beta",
    "norm3.weight": "ff_norm.gamma",
    "norm3.bias": "ff_norm.beta",
    "attn1.to_out.0.weight": "self_attn.to_out.weight",
    "attn2.to_q.weight": "cross_attn.to_q.weight",
    "attn2.to_out.0.weight": "cross_attn.to_out.weight",
    "ff.net.0.proj.weight": "ff.ff.0.proj.weight",
    "ff.net.0.proj.bias": "ff.ff.0.proj.bias",
    "ff.net.2.weight": "ff.ff.2.weight",
    "ff.net.2.bias": "ff.ff.2.bias",
}
NUMBERS = {
    "seconds_start": "duration.start",
    "seconds_total": "duration.total",
    "input_cutoff_ratio": "rolloff.input",
    "output_cutoff_ratio": "rolloff.target",
}
NUMBER = {"0.weights": "frequency", "1.weight": "project.weight", "1.bias": "project.bias"}
# Recomputed from the sizes, or of the parts that saga-sr reads from folders of their own.
DERIVED = "rotary_pos_emb.inv_freq"
MARK = "transformer.layers.0.self_attn.to_qkv.weight"


@dataclass(frozen=True)
class StableAudioWeights:
    """Weights by our names.

    Attributes:
        backbone: of `Saga`.
        conditioner: of the `Conditioner`'s parts.
        convention: what the network predicts, see `conventions`; None where nothing beside the weights says it.
        latent_scale: what the network knows latents divided by.
        attended: the numbers whose tokens it was trained to attend to, as far as anything beside the weights says
            it; else all that it has embeddings of.
        ignored: names in the file that nothing here is made from.
    """

    backbone: Tensors
    conditioner: Tensors
    convention: str | None
    latent_scale: float = 1.0
    ignored: list[str] = field(default_factory=list)
    attended: frozenset[str] = frozenset()


def read_weights(path: Path, load: Callable[[Path], Tensors] | None = None) -> StableAudioWeights:
    """Read the weights at `path`, a file or a folder in one of the three layouts.

    Args:
        load: reads the tensors in a file, `load_tensors` where left out; given another, one can see where they go.

    Raises:
        WeightsError: nothing there, another layout, a damaged file.
    """
    if not path.exists():
        raise WeightsError(f"There are no weights at {path}; give init_from=PATH of a Stable Audio folder or file.")
    load = load or load_tensors
    folder = path if path.is_dir() else path.parent
    if (path / "transformer").is_dir():
        return name_tensors(_from_diffusers(path, load), _convention_of_scheduler(path))
    if path.is_dir():
        found = [path / name for name in ("model.safetensors", "model.ckpt") if (path / name).is_file()]
        if not found:
            raise WeightsError(
                f"{path} holds neither transformer/ (diffusers) nor model.safetensors or model.ckpt; give the "
                "folder or file that Stable Audio's weights were published as."
            )
        path = found[0]
    tensors = _original(load(path), path)
    settings = _json(folder / "model_config.json").get("model", {})
    objective = settings.get("diffusion", {}).get("diffusion_objective", "v") if settings else None
    convention = {"v": "v_prediction", "rectified_flow": "rectified_flow"}.get(str(objective))
    _check_options(settings.get("diffusion", {}).get("config", {}), folder / "model_config.json")
    scale = float(settings.get("pretransform", {}).get("scale", 1.0))
    if any(name.startswith("conditioners.input_cutoff_ratio.") for name in tensors):
        convention = "velocity"  # the official SAGA-SR code has our own
    return name_tensors(tensors, convention, scale, settings.get("diffusion", {}).get("cross_attention_cond_ids"))


def read_convention(path: Path) -> str:
    """What the weights at `path` predict.

    Raises:
        WeightsError: they cannot be read, or nothing beside them says it.
    """
    convention = read_weights(path).convention
    if convention is None:
        raise WeightsError(
            f"Nothing beside {path} says that it is a v or a rectified_flow model; put its model_config.json (or the "
            "diffusers scheduler/) there, or say init_as=raw to take the weights as they are."
        )
    return convention


def name_tensors(
    tensors: Tensors, convention: str | None = None, latent_scale: float = 1.0, attended: list[str] | None = None
) -> StableAudioWeights:
    """Tensors and conditions that are `attended` to, in the original's words and without prefix, by our names.

    Raises:
        WeightsError: a transformer of other parts.
    """
    backbone: Tensors = {}
    conditioner: Tensors = {}
    ignored: list[str] = []
    for name, tensor in tensors.items():
        block = re.fullmatch(r"transformer\.layers\.(\d+)\.(.+)", name)
        number = re.fullmatch(r"conditioners\.(\w+)\.embedder\.embedding\.(.+)", name)
        if name in STEM:
            backbone[STEM[name]] = tensor[:, 0] if name == "timestep_features.weight" and tensor.ndim == 2 else tensor
        elif block and block[2] in BLOCK:
            backbone[f"blocks.{block[1]}.{BLOCK[block[2]]}"] = tensor
        elif number and number[1] in NUMBERS and number[2] in NUMBER:
            conditioner[f"{NUMBERS[number[1]]}.{NUMBER[number[2]]}"] = tensor
        elif name.startswith("conditioners.prompt.proj_out."):
            conditioner[f"text.project.{name.rpartition('.')[2]}"] = tensor
        elif name.startswith("transformer.") and not name.endswith(DERIVED):
            raise WeightsError(
                f"The weights have {name}, which SAGA-SR's transformer does not; start from Stable Audio Open 1.0 or a "
                "model of the same options."
            )
        elif not name.endswith(DERIVED):
            ignored.append(name)
    numbers = {name.partition(".")[0] for name in conditioner if not name.startswith("text.")}
    if attended is not None:
        numbers &= {NUMBERS[name].partition(".")[0] for name in attended if name in NUMBERS}
    return StableAudioWeights(backbone, conditioner, convention, latent_scale, sorted(ignored), frozenset(numbers))


def _original(state: Tensors, path: Path) -> Tensors:
    """The state of a single file without its prefixes; averaged weights are taken where there are some."""
    prefixes = sorted((name.removesuffix(MARK) for name in state if name.endswith(MARK)), key=lambda p: "ema" not in p)
    if not prefixes:
        raise WeightsError(
            f"{path} holds no Stable Audio transformer (no {MARK}); give a Stable Audio or SAGA-SR checkpoint."
        )
    chosen = prefixes[0]
    tensors: Tensors = {}
    for name, tensor in state.items():
        conditions = re.search(r"(?:^|\.)(conditioners\..+)", name)
        if name.startswith(chosen):
            tensors[name.removeprefix(chosen)] = tensor
        else:
            tensors[conditions[1] if conditions else name] = tensor
    return tensors


def _from_diffusers(folder: Path, load: Callable[[Path], Tensors]) -> Tensors:
    """The transformer and the number embeddings of a diffusers folder, in the original's words."""
    state = load(folder / "transformer" / "diffusion_pytorch_model.safetensors")
    tensors: Tensors = {}
    blocks: dict[str, Tensors] = {}
    for name, tensor in state.items():
        block = re.fullmatch(r"transformer_blocks\.(\d+)\.(.+)", name)
        if block:
            blocks.setdefault(block[1], {})[block[2]] = tensor
            continue
        start = next((theirs for theirs in DIFFUSERS if name.startswith(theirs)), "")
        tensors[DIFFUSERS.get(start, "") + name.removeprefix(start)] = tensor
    for i, block_state in blocks.items():
        tensors |= {f"transformer.layers.{i}.{name}": tensor for name, tensor in _joined(block_state).items()}
    numbers = folder / "projection_model" / "diffusion_pytorch_model.safetensors"
    for name, tensor in (load(numbers) if numbers.is_file() else {}).items():
        match = re.fullmatch(r"(start|end)_number_conditioner\.time_positional_embedding\.(.+)", name)
        number = {"start": "seconds_start", "end": "seconds_total"}[match[1]] if match else ""
        text = name.replace("text_projection.", "conditioners.prompt.proj_out.")
        tensors[f"conditioners.{number}.embedder.embedding.{match[2]}" if match else text] = tensor
    return tensors


def _joined(block: Tensors) -> Tensors:
    """A block of diffusers in the original's words: what is projected together there is one matrix."""
    separate = {"self_attn.to_qkv.weight": ("attn1", "qkv"), "cross_attn.to_kv.weight": ("attn2", "kv")}
    joined: Tensors = {}
    for name, (attention, parts) in separate.items():
        names = [f"{attention}.to_{part}.weight" for part in parts]
        if all(part in block for part in names):
            joined[name] = torch.cat([block.pop(part) for part in names])
    return joined | {DIFFUSERS_BLOCK.get(name, name): tensor for name, tensor in block.items()}


def _check_options(config: dict[str, Any], path: Path) -> None:
    """Refuse options of the transformer that leave no trace in its tensors but change what they mean."""
    usual = {"global_cond_type": "prepend", "patch_size": 1, "attn_kwargs": {}}
    for name, value in usual.items():
        given = config.get(name, value)
        if given != value and any(given.values() if isinstance(given, dict) else [given]):
            raise WeightsError(
                f"{path} sets {name} to {given}, which SAGA-SR's transformer does not have; start from Stable "
                "Audio Open 1.0 or a model of the same options."
            )


def _convention_of_scheduler(folder: Path) -> str | None:
    settings = _json(folder / "scheduler" / "scheduler_config.json")
    if "Flow" in str(settings.get("_class_name")):
        return "rectified_flow"
    return "v_prediction" if settings.get("prediction_type") == "v_prediction" else None


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path} is not valid JSON ({error}); copy it again.") from error
