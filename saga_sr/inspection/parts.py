"""Parameters by the parts that transformers are made of."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from saga_sr.core.pretrained import PretrainedNetwork

# Names of the field for the modules of the backbones here. Others are called as they are in the code.
FIELD = {
    "to_tokens": "input projection",
    "conv_in": "input projection",
    "level_tokens": "input projection",
    "time_features": "time embedding",
    "time_embedding": "time embedding",
    "global_embedding": "condition embedding",
    "condition_embedding": "condition embedding",
    "attention": "self-attention",
    "self_attention": "self-attention",
    "cross_attention": "cross-attention",
    "feed_forward": "feed-forward",
    "to_modulation": "modulation",
    "norm_self": "normalisation",
    "norm_cross": "normalisation",
    "norm_feed_forward": "normalisation",
    "head": "output projection",
    "to_latent": "output projection",
    "conv_out": "output projection",
}


def parameters_by_part(backbone: nn.Module) -> dict[str, int]:
    """How many parameters each part of `backbone` has, those of all its blocks together."""
    counts: dict[str, int] = {}
    for name, parameter in backbone.named_parameters():
        module = next(word for word in name.split(".") if word != "blocks" and not word.isdigit())
        part = FIELD.get(module, module)
        counts[part] = counts.get(part, 0) + parameter.numel()
    return counts


def trained(module: nn.Module) -> int:
    """How many parameters of `module` are trained."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def frozen(module: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters of networks within `module` that are used as they are."""
    for holder in module.modules():
        if isinstance(holder, PretrainedNetwork):
            yield from holder.network.parameters()
