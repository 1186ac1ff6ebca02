"""What a file or folder of weights holds, in any layout that is read here, and what each tensor would become."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from saga_sr.codecs.audiosr import FILE
from saga_sr.codecs.dac import package_names
from saga_sr.core.errors import PackageError, WeightsError
from saga_sr.core.run_folder import is_run, is_sharded
from saga_sr.inspection.contents import Contents, entries
from saga_sr.inspection.networks import nested, network_at, vocoder_at
from saga_sr.packages.finding import find_model
from saga_sr.packages.layout import ASSETS
from saga_sr.packages.package import build, read_config
from saga_sr.weights.audiosr import is_audiosr, read_audiosr
from saga_sr.weights.stable_audio import MARK, read_weights
from saga_sr.weights.tensor_files import Tensors, load_saved, load_tensors

READ = (
    "a model package, a run or checkpoint of training, Stable Audio's, SAGA-SR's or AudioSR's weights, or the folder "
    "or file of a DAC, an Oobleck or AudioLDM2 autoencoder, a vocoder or a T5 encoder"
)


def open_weights(path: Path) -> Contents:
    """What is at `path`. Tensors are not read where their shapes suffice, and no code of a file runs.

    Raises:
        WeightsError: nothing there, a damaged file, or a layout that is not read here.
        PackageError: a damaged model package.
    """
    if not path.exists():
        raise WeightsError(f"There is nothing at {path}; give file=PATH of {READ}.")
    if path.suffix == ".safetensors" and any((path.parent / f"config.{kind}").is_file() for kind in ("yaml", "json")):
        path = path.parent
    contents = _folder(path) if path.is_dir() else _file(path)
    if contents is None:
        raise WeightsError(f"{path} is of no layout that is read here; give {READ}.")
    return contents


def _folder(folder: Path) -> Contents | None:
    if is_run(folder):
        found = find_model(folder)
        return _package(found) if found.is_dir() and not is_sharded(found) else _file(found)
    if is_sharded(folder):
        return _file(folder)
    if vocoder := vocoder_at(folder):
        return vocoder
    if (folder / "config.yaml").is_file():
        return _package(folder)
    if (folder / "transformer").is_dir():
        return _stable_audio(folder)
    if (folder / FILE).is_file():
        return _audiosr(folder / FILE)
    for place in (folder, folder / "vae"):
        if network := network_at(place):
            return network
    if any((folder / f"model.{kind}").is_file() for kind in ("safetensors", "ckpt")):
        return _stable_audio(folder)
    return None


def _file(path: Path) -> Contents | None:
    saved = load_saved(path)
    try:
        tensors = dict(nested(saved))
    except RecursionError as error:
        raise WeightsError(f"{path} holds itself within itself, so it is damaged or made up; copy it again.") from error
    if any(name.endswith(MARK) for name in tensors):
        return _stable_audio(path)
    if is_audiosr({name.removeprefix("state_dict."): tensor for name, tensor in tensors.items()}):
        return _audiosr(path)
    if any(name.startswith("state_dict.model.backbone.") for name in tensors):
        return _checkpoint(saved, tensors)
    if isinstance(saved, dict) and "metadata" in saved and "state_dict" in saved:
        names = package_names(path, saved)
        found = entries(saved["state_dict"], {source: f"codec: {name}" for source, name in names.items()})
        return Contents("a file of descript-audio-codec, for codec=dac codec.path=PATH", [], found)
    return vocoder_at(path)


def _package(folder: Path) -> Contents:
    config = read_config(folder)
    settings = config["model"]
    with torch.device("meta"):
        backbone = build(settings.get("backbone"))
    if not isinstance(backbone, nn.Module):
        raise PackageError(f"{folder / 'config.yaml'} does not describe a SuperResolver; export the model again.")
    tensors = load_tensors(folder / "model.safetensors")
    taken = {f"backbone.{name}" for name in backbone.state_dict()}
    taken |= {name for name in tensors if name.partition(".")[0] in {"codec", "conditioner"} & settings.keys()}
    found = entries(tensors, {name: name for name in taken})
    for asset in sorted((folder / ASSETS).glob("*")):
        found += [replace(entry, name=f"{ASSETS}/{asset.name}: {entry.name}") for entry in open_weights(asset).entries]
    parts = [
        f"{part}: {str(value['_target_']).rpartition('.')[2]}"
        for part, value in settings.items()
        if isinstance(value, dict) and "_target_" in value
    ]
    return Contents("a model package, for model=PATH", [f"saga_sr {config.get('saga_sr')}", *parts], found)


def _checkpoint(saved: dict[str, Any], tensors: Tensors) -> Contents:
    ours = {}
    for name in tensors:
        for state in ("state_dict.model.", "current_model_state.model."):
            if name.startswith(state):
                ours[name] = name.removeprefix(state)
        if name.startswith("optimizer_states."):
            ours[name] = "the optimiser's state"
    facts = [f"step {saved.get('global_step')}"]
    if "current_model_state" in saved:
        facts.append("state_dict holds the averaged weights, current_model_state those in training")
    return Contents("a checkpoint of a training, for model=PATH or resume=PATH", facts, entries(tensors, ours))


def _stable_audio(path: Path) -> Contents:
    """Where tensors go is seen by sending marks through the reader instead: each a single number of as many axes."""
    sources: Tensors = {}
    diffusers = (path / "transformer").is_dir()

    def load_marks(file: Path) -> Tensors:
        marks = {}
        for name, tensor in load_tensors(file).items():
            marks[name] = torch.full([1] * tensor.ndim, len(sources))
            sources[f"{file.parent.name}/{name}" if diffusers else name] = tensor
        return marks

    weights = read_weights(path, load_marks)
    names, ours = list(sources), {}
    for room, marked in (("backbone", weights.backbone), ("conditioner", weights.conditioner)):
        for name, mark in marked.items():
            numbers = mark.flatten().tolist()
            for i, number in enumerate(numbers):
                part = f" ({i + 1} of {len(numbers)})" if len(numbers) > 1 else ""
                ours[names[number]] = f"{room}.{name}{part}"
    recognised = "Stable Audio's transformer in the original layout, for init_from=PATH"
    if weights.convention == "velocity":
        recognised = "Stable Audio's transformer in the layout of SAGA-SR's code, for init_from=PATH"
    elif diffusers:
        recognised = "Stable Audio's transformer in diffusers' layout, for init_from=PATH"
    facts = [
        f"predicts {weights.convention}" if weights.convention else "nothing beside it says what it predicts",
        f"latents are divided by {weights.latent_scale:g}",
    ]
    return Contents(recognised, facts, entries(sources, ours))


def _audiosr(path: Path) -> Contents:
    weights = read_audiosr(path)
    reasons = Counter(weights.unused.values())
    facts = [f"latents are divided by {weights.latent_scale:g}", *weights.remarks]
    facts += [f"{count} not used: {why}" for why, count in reasons.most_common()]
    recognised = "AudioSR's codec, for codec=audiosr"
    if weights.unet.tensors:
        recognised = (
            "AudioSR's checkpoint, for model=audiosr path=PATH, init_from=PATH or codec=audiosr codec.path=PATH"
        )
    return Contents(recognised, facts, entries(load_tensors(path), weights.becomes, weights.unused))
