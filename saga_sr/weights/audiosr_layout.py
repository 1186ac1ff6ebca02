"""How tensors are called in AudioSR's checkpoints, and what the networks' sizes are there.

Source: the layout is that of the package `audiosr` 0.0.7 (Liu et al., arXiv 2309.07314).
"""

from __future__ import annotations

import re
from itertools import count
from typing import Any

from saga_sr.weights.tensor_files import Tensors

# What the file is called on a hub.
PUBLISHED = "pytorch_model.bin"
UNET = "model.diffusion_model."
FIRST_STAGE = "first_stage_model."
# The autoencoder that the condition is encoded by, a copy of the first stage.
CONDITION = "cond_stage_models.0.vae."
VOCODER = f"{FIRST_STAGE}vocoder."
SCALE = "scale_factor"
SCHEDULE = "alphas_cumprod"
MARK = f"{UNET}input_blocks.0.0.weight"
# What the original's layers become in the U-Net; a convolution alone is called by its parameters.
UNET_LAYER = {
    "in_layers.0": "norm_in",
    "in_layers.2": "conv_in",
    "emb_layers.1": "time",
    "out_layers.0": "norm_out",
    "out_layers.3": "conv_out",
    "skip_connection": "skip",
    "norm": "norm",
    "proj_in": "proj_in",
    "proj_out": "proj_out",
    **{
        f"transformer_blocks.0.attn{i}.{theirs}": f"{which}_attention.{ours}"
        for i, which in ((1, "first"), (2, "second"))
        for theirs, ours in (("to_q", "to_q"), ("to_k", "to_k"), ("to_v", "to_v"), ("to_out.0", "to_out"))
    },
    "transformer_blocks.0.norm1": "norm_first",
    "transformer_blocks.0.norm2": "norm_second",
    "transformer_blocks.0.norm3": "norm_feed_forward",
    "transformer_blocks.0.ff.net.0.proj": "feed_forward.expand",
    "transformer_blocks.0.ff.net.2": "feed_forward.contract",
    "op": "conv",
    "conv": "conv",
    "": "conv",
}
UNET_STEM = {"time_embed.0": "time_embedding.0", "time_embed.2": "time_embedding.2"}
UNET_STEM |= {"out.0": "norm_out", "out.2": "conv_out"}
UNET_PART = {"input_blocks": "down", "middle_block": "middle", "output_blocks": "up"}
VAE_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}


def our_unet_name(name: str) -> str:
    """What a tensor of the original's U-Net is called in ours; as it is, where ours has no such tensor."""
    layer, _, parameter = name.rpartition(".")
    if layer in UNET_STEM:
        return f"{UNET_STEM[layer]}.{parameter}"
    found = re.fullmatch(r"(input_blocks|middle_block|output_blocks)((?:\.\d+){1,2})\.?(.*)", layer)
    if not found or found[3] not in UNET_LAYER:
        return name
    return f"{UNET_PART[found[1]]}{found[2]}.{UNET_LAYER[found[3]]}.{parameter}"


def our_vae_name(name: str) -> str:
    """What a tensor of the original's autoencoder is called in diffusers'.

    Levels of the way up are counted from the other end there, which a minus before the number stands for.
    """
    name = re.sub(r"down\.(\d+)\.block\.(\d+)\.", r"down_blocks.\1.resnets.\2.", name)
    name = re.sub(r"up\.(\d+)\.block\.(\d+)\.", r"up_blocks.-\1.resnets.\2.", name)
    name = re.sub(r"down\.(\d+)\.downsample\.", r"down_blocks.\1.downsamplers.0.", name)
    name = re.sub(r"up\.(\d+)\.upsample\.", r"up_blocks.-\1.upsamplers.0.", name)
    name = re.sub(r"mid\.block_(\d)\.", lambda found: f"mid_block.resnets.{int(found[1]) - 1}.", name)
    name = re.sub(
        r"mid\.attn_1\.(\w+)\.", lambda found: f"mid_block.attentions.0.{VAE_ATTENTION.get(found[1], found[1])}.", name
    )
    return name.replace("nin_shortcut", "conv_shortcut").replace(".norm_out.", ".conv_norm_out.")


def unet_sizes(tensors: Tensors) -> dict[str, Any]:
    """The settings of an `AudioSRUNet`, of the shapes of the original's tensors."""
    first = tensors[MARK]
    width, channels = first.shape[0], first.shape[1] // 2
    levels: list[list[int]] = [[]]
    attention: list[bool] = []
    for i in count(1):
        start = f"{UNET}input_blocks.{i}."
        if f"{start}0.op.weight" in tensors:
            levels.append([])
        elif f"{start}0.out_layers.3.weight" in tensors:
            levels[-1].append(tensors[f"{start}0.out_layers.3.weight"].shape[0] // width)
            attention[len(levels) - 1 :] = [f"{start}1.proj_in.weight" in tensors]
        else:
            break
    bands = 256 // 2 ** (len(vae_widths(tensors)) - 1)
    return {
        "latent_dim": channels * bands,
        "bands": bands,
        "width": width,
        "multipliers": [level[-1] for level in levels if level],
        "blocks": len(levels[0]),
        "attention": attention,
    }


def vae_widths(tensors: Tensors) -> list[int]:
    """The channels of the autoencoder's levels."""
    names = (f"{FIRST_STAGE}decoder.up.{i}.block.0.conv2.weight" for i in count())
    widths: list[int] = []
    for name in names:
        if name not in tensors:
            return widths
        widths.append(tensors[name].shape[0])
    return widths


def vae_sizes(tensors: Tensors) -> dict[str, Any]:
    """The settings of an `AutoencoderKL`, of the shapes of the original's tensors."""
    blocks = (f"{FIRST_STAGE}decoder.up.0.block.{i}.conv2.weight" for i in count())
    return {
        "block_out_channels": vae_widths(tensors),
        "layers_per_block": next(i for i, name in enumerate(blocks) if name not in tensors) - 1,
        "latent_channels": tensors[f"{FIRST_STAGE}decoder.conv_in.weight"].shape[1],
    }
