"""What the official classes of AudioSR compute with weights that anybody can make, for `compare.py` and the tests.

    python official.py tiny ../../tests/weights/audiosr_tiny.safetensors
    python official.py full /tmp/audiosr_full.safetensors

Runs in an environment of its own, see README.md, and imports nothing of saga_sr. The file holds what came out of each
stage, and the names and shapes of the official checkpoint's tensors; `recipe.py` makes their values, and the inputs.
"""

from __future__ import annotations

import copy
import importlib
import json
import resource
import sys
from itertools import count
from typing import Any

import numpy as np
import torch
import transformers
from recipe import normal, value
from safetensors.torch import save_file

STEPS, GUIDANCE, NULL, SCALE = 10, 3.5, -11.4981, 0.5
# 0.64 s and 5.12 s.
SAMPLES = {"tiny": 30_720, "full": 245_760}
# Of long outputs each so manieth place along the time is kept.
KEPT = {"mel": 4, "decoded": 4, "vocoded": 16}


def configuration(size: str, defaults: dict[str, Any], vocoders: Any) -> dict[str, Any]:
    """AudioSR's own, or one of the same architecture with narrow networks."""
    settings = defaults["model"]["params"]
    if size == "tiny":
        settings["unet_config"]["params"] |= {"model_channels": 32, "channel_mult": [1, 1, 2, 2], "num_res_blocks": 1}
        condition = settings["cond_stage_config"]["concat_lowpass_cond"]["params"]["first_stage_config"]
        for stage in (settings["first_stage_config"], condition):
            stage["params"]["ddconfig"] |= {"ch": 32, "ch_mult": [1, 1, 2, 2], "num_res_blocks": 1}
        vocoder = vocoders.get_vocoder_config_48k() | {"upsample_initial_channel": 64}
        vocoders.get_vocoder_config_48k = lambda: copy.deepcopy(vocoder)
    return settings | {"device": torch.device("cpu")}


def build(size: str) -> Any:
    """The official `LatentDiffusion`, with CLAP in it, which it has and never calls; nothing is downloaded."""
    transformers.RobertaTokenizer.from_pretrained = lambda *_, **__: None
    transformers.RobertaConfig.from_pretrained = lambda *_, **__: transformers.RobertaConfig(
        vocab_size=50_265, max_position_embeddings=514, type_vocab_size=1
    )
    ddpm = importlib.import_module("audiosr.latent_diffusion.models.ddpm")
    vocoders = importlib.import_module("audiosr.utilities.model")
    defaults = importlib.import_module("audiosr.utils").get_basic_config()
    model = ddpm.LatentDiffusion(**configuration(size, defaults, vocoders)).eval()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            # The condition's encoder is a copy of the first stage.
            name = name.replace("cond_stage_models.0.vae.", "first_stage_model.")
            if name == "scale_factor":
                tensor.fill_(SCALE)
            elif name.startswith(("first_stage_model.", "model.")):
                tensor.copy_(torch.from_numpy(value(name, tuple(tensor.shape))))
    # A posterior's mean instead of a draw, since draws cannot be compared.
    ddpm.DiagonalGaussianDistribution.sample = lambda self: self.mean
    return model


def sample(model: Any, encoded: torch.Tensor, noise: torch.Tensor, eta: float) -> torch.Tensor:
    """The guided DDIM of the official class from `noise`, with noise of known names in its steps."""
    draws = count()
    sampler = importlib.import_module("audiosr.latent_diffusion.models.ddim")
    sampler.noise_like = lambda shape, *_: torch.from_numpy(normal(f"noise {next(draws)}", tuple(shape)))
    sampled, _ = model.sample_log(
        {"concat_lowpass_cond": encoded}, 1, True, STEPS, eta=eta, x_T=noise, unconditional_guidance_scale=GUIDANCE,
        unconditional_conditioning={"concat_lowpass_cond": torch.full_like(encoded, NULL)},
    )  # fmt: skip
    return sampled


@torch.no_grad()
def run(model: Any, samples: int) -> dict[str, torch.Tensor]:
    """The outputs of every stage, for so many samples of noise."""
    audio = torch.from_numpy(0.1 * normal("audio", (1, samples)))
    mel = importlib.import_module("audiosr.utils").mel_spectrogram_train(audio)[0].T[None]  # [b, frame, mel]
    encoded = model.cond_stage_models[0](mel)
    noise = torch.from_numpy(normal("noise", tuple(encoded.shape)))
    evaluated = model.apply_model(noise, torch.tensor([500]), {"concat_lowpass_cond": encoded})
    model.latent_t_size = encoded.shape[-2]
    sampled = sample(model, encoded, noise, eta=0.0)
    decoded = model.decode_first_stage(sampled)
    vocoded = model.first_stage_model.vocoder(decoded.squeeze(1).permute(0, 2, 1))
    return {
        "mel": mel[:, :: KEPT["mel"]].clone(),
        "encoded": encoded,
        "evaluated": evaluated,
        "sampled": sampled,
        "sampled with noise": sample(model, encoded, noise, eta=1.0),
        "decoded": decoded[:, :, :: KEPT["decoded"]].clone(),
        "vocoded": vocoded[..., :: KEPT["vocoded"]].clone(),
    }


def main(size: str, path: str) -> None:
    """Write all of it to `path`."""
    model = build(size)
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    outputs = {name: tensor.contiguous() for name, tensor in run(model, SAMPLES[size]).items()}
    save_file(outputs, path, {"shapes": json.dumps(shapes), "samples": str(SAMPLES[size])})
    print(f"{sum(int(np.prod(shape)) for shape in shapes.values()) / 1e6:.1f} M numbers in {len(shapes)} tensors")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB of memory at most")


if __name__ == "__main__":
    main(*sys.argv[1:])
