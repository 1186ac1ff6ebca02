"""Networks that diffusers, transformers and authors of vocoders publish as folders, and what is made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saga_sr.codecs import audioldm2, oobleck
from saga_sr.codecs.hifigan import plain_name
from saga_sr.codecs.published import check_folder
from saga_sr.codecs.vocoder import is_vocoder, load_vocoder
from saga_sr.core.errors import WeightsError
from saga_sr.inspection.contents import Contents, entries
from saga_sr.weights.tensor_files import load_saved, load_tensors


def network_at(place: Path) -> Contents | None:
    """The network in the folder `place`, None where it is none that is known.

    Raises:
        WeightsError: a damaged one.
    """
    config = read_json(place / "config.json")
    kind = config.get("_class_name", config.get("model_type"))
    return NETWORKS[kind](place, config) if kind in NETWORKS else None


def vocoder_at(path: Path) -> Contents | None:
    """The vocoder at `path`, its folder or the file of its generator; None where no vocoder's configuration is there.

    Raises:
        WeightsError: a damaged one.
    """
    if not is_vocoder(path):
        return None
    vocoder = load_vocoder(path)
    own = vocoder.network.state_dict()
    tensors = dict(nested(load_saved(vocoder.file)))
    names = {name: plain_name(name.removeprefix("generator.").removeprefix("state_dict.")) for name in tensors}
    taken = {source: f"codec: vocoder.{name}" for source, name in names.items() if name in own}
    kind, mel = type(vocoder.network).__name__, vocoder.mel
    return Contents(
        f"a vocoder, {kind}, for codec=mel codec.path=PATH",
        [f"reads {mel.n_mels} mel bands at {mel.sample_rate} Hz, {mel.hop_length} samples a frame"],
        entries(tensors, taken),
    )


def read_json(path: Path) -> dict[str, Any]:
    """The configuration at `path`, empty where there is none.

    Raises:
        WeightsError: it is damaged.
    """
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text())
    except ValueError as error:
        raise WeightsError(f"{path} is not valid JSON ({error}); copy the folder again.") from error
    return config if isinstance(config, dict) else {}


def nested(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in `value` and all that it holds, by the names on the way to them."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, dict | list | tuple):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            # Lightning calls a callback by all its settings, in braces.
            word = str(key).partition("{")[0]
            yield from nested(item, f"{name}.{word}" if name else word)


def _oobleck(folder: Path, config: dict[str, Any]) -> Contents:
    from diffusers import AutoencoderOobleck

    check_folder(folder, "AutoencoderOobleck", oobleck.MEND)
    recognised = "an Oobleck autoencoder, for codec=oobleck codec.path=PATH"
    return _network(folder, lambda: AutoencoderOobleck.from_config(config), "codec: ", recognised)


def _dac(folder: Path, config: dict[str, Any]) -> Contents:
    from transformers import DacConfig, DacModel

    recognised = "a DAC of transformers, for codec=dac codec.path=PATH"
    return _network(folder, lambda: DacModel(DacConfig.from_dict(config)), "codec: ", recognised)


def _t5(folder: Path, config: dict[str, Any]) -> Contents:
    from transformers import T5Config, T5EncoderModel

    recognised = "a T5 encoder, for text_encoder=PATH"
    return _network(folder, lambda: T5EncoderModel(T5Config.from_dict(config)), "text encoder: ", recognised)


def _audioldm2(part: Path, config: dict[str, Any]) -> Contents:
    """The pipeline that `part`, its autoencoder or its vocoder, is of."""
    from diffusers import AutoencoderKL
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    folder, mend = part.parent, audioldm2.MEND
    recognised = "AudioLDM2's autoencoder and vocoder, for codec=audioldm2_music (_speech, _large) codec.path=PATH"
    made: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
        "vae": ("AutoencoderKL", AutoencoderKL.from_config),
        "vocoder": ("SpeechT5HifiGan", lambda said: SpeechT5HifiGan(SpeechT5HifiGanConfig.from_dict(said))),
    }
    found = Contents(recognised, [], [])
    for name, (kind, make) in made.items():
        check_folder(folder / name, kind, mend)
        said = read_json(folder / name / "config.json")
        if name == "vae" and said.get("in_channels") != 1:
            raise WeightsError(f"{folder / name} is the autoencoder of pictures, not of spectrograms; {mend}.")
        one = _network(folder / name, partial(make, said), f"codec: {name}.", recognised)
        found.entries.extend(replace(entry, name=f"{name}/{entry.name}") for entry in one.entries)
    return found


# What config.json calls them; SpeechT5's vocoder by two names, as versions of transformers write it.
NETWORKS = {
    "AutoencoderOobleck": _oobleck,
    "AutoencoderKL": _audioldm2,
    **dict.fromkeys(("hifigan", "speecht5_hifigan"), _audioldm2),
    "dac": _dac,
    "t5": _t5,
}


def _network(folder: Path, make: Callable[[], Any], part: str, recognised: str) -> Contents:
    """The weights of a network whose own names are kept, and which of them it takes."""
    try:
        with torch.device("meta"):
            own = make().state_dict()
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, ZeroDivisionError) as error:
        raise WeightsError(
            f"{folder / 'config.json'} describes no network that can be made ({error}); copy the folder again."
        ) from error
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise WeightsError(f"{folder} holds no safetensors weights; copy the folder whole.")
    tensors = {name: tensor for file in files for name, tensor in load_tensors(file).items()}
    taken = (name for name in tensors if name in own and own[name].shape == tensors[name].shape)
    return Contents(recognised, [], entries(tensors, {name: f"{part}{name}" for name in taken}))
