"""saga-sr beside the official classes of AudioSR, stage by stage, with the same weights and inputs.

    python benchmarks/audiosr/compare.py tests/weights/audiosr_tiny.safetensors /tmp/audiosr_full.safetensors

The files are those that `official.py` wrote, each a column. A checkpoint in AudioSR's layout is made of the names and
shapes in it, converted to a package, and compared with what the official classes made of the same weights.
"""

from __future__ import annotations

import json
import resource
import sys
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from einops import rearrange
from recipe import normal, value
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from saga_sr.codecs.audiosr import AudioSR
from saga_sr.conditioning import Conditioning
from saga_sr.flow.diffusion import time_of
from saga_sr.model import SuperResolver
from saga_sr.packages.audiosr import convert
from saga_sr.packages.load import load_model
from saga_sr.weights.audiosr_layout import SCHEDULE

# What `official.py` has.
STEPS, SCALE, KEPT = 10, 0.5, {"mel": 4, "decoded": 4, "vocoded": 16}


def metadata(recorded: Path, name: str) -> Any:
    """What the file says beside its tensors."""
    with safe_open(recorded, "pt") as file:
        return json.loads(file.metadata()[name])


def checkpoint_tensors(recorded: Path) -> dict[str, Tensor]:
    """All tensors of a checkpoint in AudioSR's layout but its schedule; what is never read is 0."""
    tensors, zero = {"scale_factor": torch.tensor(SCALE)}, torch.zeros(())
    for name, shape in metadata(recorded, "shapes").items():
        # The condition's autoencoder is a copy, which need not be made twice.
        source = name.replace("cond_stage_models.0.vae.", "first_stage_model.")
        if source in tensors:
            tensors[name] = tensors[source]
        elif source.startswith(("first_stage_model.", "model.")):
            tensors[name] = torch.from_numpy(value(source, tuple(shape)))
        elif name not in (SCHEDULE, "scale_factor"):
            tensors[name] = zero.expand(shape)
    return tensors


def drawn(name: str, shape: torch.Size) -> Tensor:
    """The noise of that `name`, of AudioSR's `shape` [b, c, t, f], in ours."""
    return rearrange(torch.from_numpy(normal(name, tuple(shape))), "b c t f -> b (c f) t")


@torch.no_grad()
def outputs(model: SuperResolver, samples: int) -> dict[str, Tensor]:
    """What each stage of `model` makes of what `official.py` gives to AudioSR's, in its shapes."""
    codec, bands = model.codec, 32
    audio = torch.from_numpy(0.1 * normal("audio", (1, samples)))
    mel = codec.mel(audio).transpose(1, 2)
    z_lr = codec.encode(audio[None])
    raw = rearrange(z_lr * codec.latent_scale, "b (c f) t -> b c t f", f=bands)
    noise = drawn("noise", raw.shape)
    conditioning = model.prepare_conditioning(audio[None], torch.tensor([4000.0]), [""])
    # Their point is ours at that length, and their v is what our velocity is made of.
    t = time_of(torch.tensor([500]))
    r = torch.hypot(t, 1 - t)
    alpha, sigma = t / r, (1 - t) / r
    answer = model.backbone(r * noise, t, Conditioning(concat=z_lr)).value
    evaluated = ((alpha - sigma) * noise - answer) / (alpha + sigma)
    velocity, draws = model.velocity(z_lr, conditioning), (drawn(f"noise {i}", raw.shape) for i in count())
    sampled = model.sampler.changed(steps=STEPS, eta=0.0)(velocity, noise)
    with_noise = model.sampler.changed(steps=STEPS, eta=1.0)(velocity, noise, draw=lambda: next(draws))
    latent = rearrange(sampled * codec.latent_scale, "b (c f) t -> b c t f", f=bands)
    decoded = codec.autoencoder.network.vae.decode(latent).sample
    # The codec's own way undoes a delay, which AudioSR's does not.
    vocoded = codec.autoencoder.network.vocoder(rearrange(decoded, "b 1 t m -> b m t"))
    return {
        "mel": mel[:, :: KEPT["mel"]],
        "encoded": raw,
        "evaluated": rearrange(evaluated, "b (c f) t -> b c t f", f=bands),
        "sampled": rearrange(sampled, "b (c f) t -> b c t f", f=bands),
        "sampled with noise": rearrange(with_noise, "b (c f) t -> b c t f", f=bands),
        "decoded": decoded[:, :, :: KEPT["decoded"]],
        "vocoded": vocoded[:, None, :: KEPT["vocoded"]],
    }


def errors(recorded: Path, package: Path) -> dict[str, float]:
    """How far each stage of the model in `package` is from what was recorded, as a share of it."""
    model = load_model(package)
    # What was recorded is shorter than what clips are filled up to.
    model.codec = AudioSR(str(package / "assets" / "codec"), pad_s=0)
    model.mixed_precision = False
    official = load_file(recorded)
    ours = outputs(model, metadata(recorded, "samples"))
    return {name: float((found - official[name]).norm() / official[name].norm()) for name, found in ours.items()}


def column(recorded: Path) -> dict[str, float]:
    """The errors of the checkpoint that `recorded` describes."""
    with TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "pytorch_model.bin"
        torch.save({"state_dict": checkpoint_tensors(recorded)}, checkpoint)
        return errors(recorded, convert(checkpoint, Path(folder) / "package", torch.float32))


def main(*files: str) -> None:
    """Print the table of all `files`."""
    columns = {Path(file).stem.removeprefix("audiosr_"): column(Path(file)) for file in files}
    print(f"| stage | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name in next(iter(columns.values())):
        print(f"| {name} | {' | '.join(f'{found[name]:.1e}' for found in columns.values())} |")
    print(f"\n{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB of memory at most")


if __name__ == "__main__":
    main(*sys.argv[1:])
