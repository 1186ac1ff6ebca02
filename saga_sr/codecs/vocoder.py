"""Vocoders in the layouts that they are published in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml
from safetensors.torch import save_file
from torch import Tensor, nn

from saga_sr.codecs.bigvgan import BigVGAN, BigVGANSizes
from saga_sr.codecs.hifigan import HifiGAN, HifiGANSizes, fill
from saga_sr.codecs.mel_spectrogram import MelSettings
from saga_sr.codecs.vocos import Vocos, VocosSizes
from saga_sr.core.errors import ConfigError, WeightsError
from saga_sr.weights.tensor_files import load_saved

MEND = "give the folder of a HiFi-GAN, BigVGAN or Vocos with its configuration and its generator (codec.path=...)"
# Where the generator is, the first that is there; of several that match, the last one trained.
WEIGHTS = ("*.safetensors", "bigvgan_generator.pt", "bigvgan_generator*", "generator*", "g_*", "pytorch_model.bin")
# What Vocos keeps beside its network, and what we make ourselves.
VOCOS_FEATURES = ("feature_extractor.", "head.istft.")
# Names in configurations that tell vocoders' from others.
MARKS = ({"num_mels", "upsample_rates"}, {"feature_extractor", "backbone", "head"})

Sizes = TypeVar("Sizes", HifiGANSizes, BigVGANSizes)


@dataclass(frozen=True)
class Vocoder:
    """A vocoder from elsewhere.

    Attributes:
        network: log-mel spectrogram [b, n_mels, frame] -> audio [b, time].
        mel: of the spectrogram that it reads.
        config: as it was published.
        file: of its weights.
    """

    network: nn.Module
    mel: MelSettings
    config: Mapping[str, Any]
    file: Path


def is_vocoder(path: Path) -> bool:
    """Whether the configuration of a vocoder, of a layout that is read here, is in the folder `path` or beside it."""
    try:
        config = _config_in(path if path.is_dir() else path.parent)
    except WeightsError:
        return False
    return any(names <= config.keys() for names in MARKS)


def load_vocoder(path: Path) -> Vocoder:
    """The vocoder at `path`, its folder or the file of its generator beside its configuration.

    Nothing is downloaded, and no code from it runs.

    Raises:
        WeightsError: it is missing, damaged or something else.
    """
    folder = path if path.is_dir() else path.parent
    if not path.exists():
        raise WeightsError(f"There is no vocoder at {path}; {MEND}.")
    config = _config_in(folder)
    try:
        network, mel = _vocos(config) if "backbone" in config else _generator(config)
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        reason = f"{type(error).__name__}: {str(error)[:200].rstrip('.')}"
        raise WeightsError(f"The configuration of a vocoder in {folder} cannot be used ({reason}); {MEND}.") from error
    weights = path if path.is_file() else _weights_in(folder)
    fill(network, _tensors(weights), str(weights))
    return Vocoder(network, mel, config, weights)


def save_vocoder(network: nn.Module, config: Mapping[str, Any], folder: Path) -> None:
    """Write a vocoder and its configuration, so that `load_vocoder` reads it again from `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    # JSON is YAML too.
    name = "config.yaml" if isinstance(network, Vocos) else "config.json"
    (folder / name).write_text(json.dumps(dict(config), indent=2))
    save_file(network.state_dict(), folder / "generator.safetensors")


def _config_in(folder: Path) -> dict[str, Any]:
    """The configuration in `folder`, of whatever kind."""
    for name in ("config.json", "config.yaml"):
        if (folder / name).is_file():
            try:
                # JSON is YAML, but for numbers like 1e-5, which no network's size is.
                config = yaml.safe_load((folder / name).read_text())
            except (yaml.YAMLError, UnicodeDecodeError) as error:
                reason = " ".join(str(error).split())[:200]
                raise WeightsError(f"{folder / name} is damaged ({reason}); copy the folder again.") from error
            if isinstance(config, dict):
                return config
    raise WeightsError(f"{folder} holds no configuration of a vocoder, config.json or config.yaml; {MEND}.")


def _weights_in(folder: Path) -> Path:
    for pattern in WEIGHTS:
        found = sorted(folder.glob(pattern))
        if found:
            return found[-1]
    raise WeightsError(f"{folder} holds no generator's weights ({', '.join(WEIGHTS)}); {MEND}.")


def _tensors(path: Path) -> dict[str, Tensor]:
    saved = load_saved(path)
    for name in ("generator", "state_dict"):
        if isinstance(saved, dict) and isinstance(saved.get(name), dict):
            saved = saved[name]
    if not isinstance(saved, dict) or not all(isinstance(value, Tensor) for value in saved.values()):
        raise WeightsError(f"{path} holds more or other than a vocoder's tensors; {MEND}.")
    return {name: value for name, value in saved.items() if not name.startswith(VOCOS_FEATURES)}


def _generator(config: Mapping[str, Any]) -> tuple[nn.Module, MelSettings]:
    """HiFi-GAN's or BigVGAN's, whose spectrograms are alike."""
    periodic = "activation" in config
    network = BigVGAN(_sizes(BigVGANSizes, config)) if periodic else HifiGAN(_sizes(HifiGANSizes, config))
    mel = MelSettings(
        sample_rate=int(config["sampling_rate"]),
        n_fft=int(config["n_fft"]),
        hop_length=int(config["hop_size"]),
        n_mels=int(config["num_mels"]),
        fmin=float(config["fmin"]),
        fmax=None if config["fmax"] is None else float(config["fmax"]),
        win_length=int(config["win_size"]),
        padding="same",
        epsilon=1e-9,
    )
    return network, mel


def _sizes(kind: type[Sizes], config: Mapping[str, Any]) -> Sizes:
    return kind(**{field.name: config[field.name] for field in fields(kind) if field.name in config})


def _vocos(config: Mapping[str, Any]) -> tuple[nn.Module, MelSettings]:
    parts = {
        name: str(config[name]["class_path"]).rpartition(".")[2] for name in ("feature_extractor", "backbone", "head")
    }
    expected = {"feature_extractor": "MelSpectrogramFeatures", "backbone": "VocosBackbone", "head": "ISTFTHead"}
    if parts != expected:
        raise ValueError(f"of {', '.join(parts.values())}, where {', '.join(expected.values())} can be read")
    features, backbone, head = (config[name]["init_args"] for name in expected)
    sizes = VocosSizes(
        input_channels=backbone["input_channels"],
        dim=backbone["dim"],
        intermediate_dim=backbone["intermediate_dim"],
        num_layers=backbone["num_layers"],
        n_fft=head["n_fft"],
        hop_length=head["hop_length"],
        padding=head.get("padding", "same"),
    )
    mel = MelSettings(
        sample_rate=features["sample_rate"],
        n_fft=features["n_fft"],
        hop_length=features["hop_length"],
        n_mels=features["n_mels"],
        padding=features.get("padding", "center"),
        scale="htk",
        floor=1e-7,
    )
    return Vocos(sizes), mel
