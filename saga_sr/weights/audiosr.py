"""AudioSR's public checkpoints: one file with the U-Net, the autoencoder, the vocoder and much that is not used.

Tensors get the names that `AudioSRUNet`, diffusers' `AutoencoderKL` and `HifiGAN` have. Sizes are read off the shapes,
since nothing beside the file states them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from saga_sr.core.errors import WeightsError
from saga_sr.flow.diffusion import STEPS, time_of
from saga_sr.weights.audiosr_layout import (
    CONDITION,
    FIRST_STAGE,
    MARK,
    SCALE,
    SCHEDULE,
    UNET,
    VOCODER,
    our_unet_name,
    our_vae_name,
    unet_sizes,
    vae_sizes,
)
from saga_sr.weights.tensor_files import Tensors, load_tensors

# What a latent of nothing is, before it is scaled, that guidance puts in the place of the condition.
NULL_LATENT = -11.4981
TWIN, UNKNOWN = "the same as the condition's encoder", "unknown"
# Why the rest is not used, by how names begin.
UNUSED = {
    # By `get_basic_config`, which is both models', concat_lowpass_cond is the one condition, and the U-Net has no
    # context_dim and no extra_film_condition_dim; `LatentDiffusion` makes a CLAP and never calls it.
    "clap.": "CLAP, which sampling does not use: basic and speech are conditioned on the low-passed latent alone",
    "model_ema.": "averaged weights, which AudioSR itself does not use",
    f"{FIRST_STAGE}loss.": "the autoencoder's losses",
    f"{CONDITION}loss.": "the autoencoder's losses",
    CONDITION: "a copy of the autoencoder, of which the encoder is used",
    **dict.fromkeys(
        ("betas", "alphas_", "sqrt_", "log_one_", "posterior_", "lvlb_", "logvar", SCALE), "the schedule, computed here"
    ),
}


@dataclass(frozen=True)
class Part:
    """A network's tensors by our names.

    Attributes:
        sizes: what it is built of, by the names of its settings.
        names: what each tensor is called in the file.
    """

    tensors: Tensors
    sizes: dict[str, Any]
    names: dict[str, str]

    def fill(self, network: nn.Module, path: Path) -> None:
        """Give `network` the tensors.

        Raises:
            WeightsError: one is missing, of another shape, or one too many; the first is named as in the file `path`.
        """
        own = network.state_dict()
        for name, tensor in self.tensors.items():
            if name not in own:
                raise WeightsError(f"{path} has {self.names[name]}, which AudioSR has not; {MEND}.")
            # Attention's projections are convolutions of width 1 in the file.
            if tensor.shape != own[name].shape and tensor.squeeze().shape != own[name].shape:
                raise WeightsError(
                    f"{self.names[name]} is {list(tensor.shape)} at {path}, where its other tensors ask for "
                    f"{list(own[name].shape)}; {MEND}."
                )
        missing = next((name for name in own if name not in self.tensors), None)
        if missing is not None:
            near = next(iter(self.names.values()), "")
            raise WeightsError(
                f"{path} has no tensor that becomes {missing} ({near} and others are there), so its download broke off "
                f"or it is another model; {MEND}."
            )
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                own[name].copy_(tensor.reshape(own[name].shape))


@dataclass(frozen=True)
class AudioSRWeights:
    """A checkpoint of AudioSR.

    Attributes:
        unet: of `AudioSRUNet`, empty where the file holds the codec alone.
        vae, vocoder: of `AutoencoderKL` and `HifiGAN`.
        latent_scale: what the U-Net knows latents divided by.
        unused: names in the file that nothing is made of, and why.
        remarks: sentences on what is unusual.
    """

    unet: Part
    vae: Part
    vocoder: Part
    latent_scale: float
    unused: dict[str, str]
    remarks: list[str] = field(default_factory=list)

    @property
    def null_value(self) -> float:
        """What stands for the condition where it is dropped."""
        return NULL_LATENT / self.latent_scale

    @property
    def becomes(self) -> dict[str, str]:
        """What each tensor of the file that is used becomes, by its name there."""
        parts = {"backbone": self.unet, "codec: vae": self.vae, "codec: vocoder": self.vocoder}
        return {theirs: f"{part}.{ours}" for part, made in parts.items() for ours, theirs in made.names.items()}


MEND = "give AudioSR's pytorch_model.bin (basic or speech), copied or downloaded anew"


def is_audiosr(names: Mapping[str, Any]) -> bool:
    """Whether tensors of these names are AudioSR's, or of a model built as it is."""
    return MARK in names and any(name.startswith(VOCODER) for name in names)


def read_audiosr(path: Path, load: Callable[[Path], Tensors] | None = None) -> AudioSRWeights:
    """The checkpoint at `path`, or what a package of ours keeps of it.

    Args:
        load: reads the tensors in a file, `load_tensors` where left out.

    Raises:
        WeightsError: nothing there, a damaged file, or another model, with the first tensor that does not fit.
    """
    if not path.is_file():
        raise WeightsError(f"There is no checkpoint of AudioSR at {path}; {MEND}.")
    tensors = (load or load_tensors)(path)
    for name in (SCALE, f"{FIRST_STAGE}decoder.conv_in.weight", f"{VOCODER}conv_pre.weight"):
        if name not in tensors:
            first = next(iter(tensors), "nothing")
            raise WeightsError(f"{path} is not AudioSR's: it has no {name} (its first tensor is {first}); {MEND}.")
    check_schedule(tensors, path)
    encoder, remarks = encoder_names(tensors)
    vae = {name: our_vae_name(inner) for name, inner in encoder.items()}
    stage = {name: name.removeprefix(FIRST_STAGE) for name in tensors if name.startswith(FIRST_STAGE)}
    vae |= {name: our_vae_name(inner) for name, inner in stage.items() if inner.startswith(("decoder.", "post_quant_"))}
    depth = len(set(re.findall(r"decoder\.up_blocks\.-(\d+)\.", " ".join(vae.values()))))
    vae = {
        name: re.sub(r"up_blocks\.-(\d+)", lambda found: f"up_blocks.{depth - 1 - int(found[1])}", ours)
        for name, ours in vae.items()
    }
    vocoder = {name: name.removeprefix(VOCODER) for name in tensors if name.startswith(VOCODER)}
    unet = {name: our_unet_name(name.removeprefix(UNET)) for name in tensors if name.startswith(UNET)}
    unused = {}
    for name in tensors:
        if name not in vae and name not in vocoder and name not in unet:
            unused[name] = next((why for start, why in UNUSED.items() if name.startswith(start)), UNKNOWN)
            if name.startswith(FIRST_STAGE) and unused[name] == UNKNOWN:
                unused[name] = TWIN
    return AudioSRWeights(
        part(tensors, unet, unet_sizes(tensors) if unet else {}),
        part(tensors, vae, vae_sizes(tensors)),
        part(tensors, vocoder, {"upsample_initial_channel": tensors[f"{VOCODER}conv_pre.weight"].shape[0]}),
        1 / float(tensors[SCALE]),
        unused,
        remarks,
    )


def part(tensors: Tensors, ours: Mapping[str, str], sizes: dict[str, Any]) -> Part:
    """The tensors that `ours` names, by what they become."""
    return Part(
        {mine: tensors[name] for name, mine in ours.items()}, sizes, {mine: name for name, mine in ours.items()}
    )


def encoder_names(tensors: Tensors) -> tuple[dict[str, str], list[str]]:
    """The encoder's tensors, those of the condition where there are some, with their names in an autoencoder.

    And a remark, if the condition's and the latents' are not the same: what is restored by is the condition's.
    """
    found: dict[str, dict[str, str]] = {}
    for start in (CONDITION, FIRST_STAGE):
        inner = {name: name.removeprefix(start) for name in tensors if name.startswith(start)}
        found[start] = {name: own for name, own in inner.items() if own.startswith(("encoder.", "quant_conv."))}
    if not found[CONDITION]:
        return found[FIRST_STAGE], []
    for name, own in found[CONDITION].items():
        twin = tensors.get(FIRST_STAGE + own)
        if twin is not None and not torch.equal(twin, tensors[name]):
            return found[CONDITION], [
                f"The condition's encoder is not the latents' ({name} differs), and is the one that is taken: "
                "restoring is as AudioSR does it, but training would encode its targets by it too."
            ]
    return found[CONDITION], []


def check_schedule(tensors: Tensors, path: Path) -> None:
    """See whether the schedule in a checkpoint, where it has one, is the one that is known here.

    Raises:
        WeightsError: it is not.
    """
    if SCHEDULE not in tensors:
        return
    t = time_of(torch.arange(STEPS)).double()
    ours, theirs = (t**2 / (t**2 + (1 - t) ** 2)).float(), tensors[SCHEDULE].float()
    if theirs.shape != ours.shape or not torch.allclose(theirs, ours, atol=1e-5):
        raise WeightsError(
            f"{SCHEDULE} at {path} is not AudioSR's cosine schedule of {STEPS} steps, so this is another model; {MEND}."
        )
