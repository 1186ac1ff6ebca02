"""The Descript Audio Codec's continuous latents: mono, 86 frames of 1024 channels a second, weights from a file."""

from __future__ import annotations

import itertools
import math
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from saga_sr.codecs.chunked import ChunkedCodec, check_stated
from saga_sr.core.errors import ConfigError, WeightsError

# The package's direction and length of a weight that is kept normalised.
WEIGHT_NORM = {"weight_v", "weight_g"}


class DAC(ChunkedCodec):
    """The autoencoder of DAC (Kumar et al. 2023), as `DacModel` of transformers has it, before quantisation.

    Args:
        path: a file of the `descript-audio-codec` package (`weights_44khz.pth`), or a folder in the layout of
            transformers' `DacModel` (`config.json` and safetensors).
        sample_rate, latent_dim: must be the network's.
        n_quantizers: latents are rounded to so many codebooks before they are decoded; null leaves them continuous.
        chunk_s: seconds of audio that are in the network at once, a batch's items counted together.

    Raises:
        ConfigError: `sample_rate` or `latent_dim` is not the network's, more codebooks than it has, or a `chunk_s` that
            is not positive.
        WeightsError: no such network can be read at `path`.
    """

    PUBLISHED_CHANNELS = 1
    PUBLISHED_HOP = 512

    def __init__(
        self,
        path: str,
        sample_rate: int = 44_100,
        latent_dim: int = 1024,
        n_quantizers: int | None = None,
        chunk_s: float = 30.0,
    ) -> None:
        network = load_dac(Path(path))
        found = network.config
        check_stated(path, sample_rate=(sample_rate, found.sampling_rate), latent_dim=(latent_dim, found.hidden_size))
        if n_quantizers is not None and not 1 <= n_quantizers <= found.n_codebooks:
            raise ConfigError(
                f"codec.n_quantizers={n_quantizers} is not possible with the {found.n_codebooks} codebooks of {path}; "
                f"give 1 to {found.n_codebooks}, or null for continuous latents."
            )
        super().__init__(network, sample_rate, 1, latent_dim, math.prod(found.downsampling_ratios), chunk_s)
        self.n_quantizers = n_quantizers

    def encode_piece(self, audio: Tensor) -> Tensor:
        return self.autoencoder.network.encoder(audio)

    def decode_piece(self, raw: Tensor) -> Tensor:
        if self.n_quantizers is not None:
            raw = self.autoencoder.network.quantizer(raw, self.n_quantizers)[0]
        return self.autoencoder.network.decoder(raw)


def load_dac(path: Path) -> Any:
    """`DacModel` with the weights at `path`, a file or a folder; nothing is downloaded, and no code from it runs.

    Raises:
        WeightsError: it is missing, damaged or something else.
    """
    mend = "give weights_44khz.pth of descript-audio-codec or a folder of transformers' DacModel (codec.path=...)"
    if not path.exists():
        raise WeightsError(f"There is no codec at {path}, and nothing is downloaded; {mend}.")
    network = _from_folder(path, mend) if path.is_dir() else _from_package(path, mend)
    if any(ratio % 2 for ratio in network.config.downsampling_ratios):
        raise WeightsError(
            f"The codec at {path} has downsampling ratios {network.config.downsampling_ratios}, and odd ones do not "
            "give back the length they were given; choose the one for 44.1 kHz."
        )
    return network.float()


def _from_folder(folder: Path, mend: str) -> Any:
    from safetensors import SafetensorError
    from transformers import DacModel

    load: Any = DacModel.from_pretrained
    try:
        network, report = load(folder, local_files_only=True, use_safetensors=True, output_loading_info=True)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise WeightsError(f"The codec at {folder} cannot be read ({_reason(error)}); {mend}.") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise WeightsError(
            f"The weights at {folder} lack {len(missing)} of the codec's tensors, {missing[0]} among them; {mend}."
        )
    return network


def _from_package(path: Path, mend: str) -> Any:
    """The package's own file: `{"state_dict": ..., "metadata": {"kwargs": ...}}`."""
    try:
        saved: Any = torch.load(path, map_location="cpu", weights_only=True)
        network = _outline(saved["metadata"]["kwargs"])
        _copy(saved["state_dict"], network)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"The codec at {path} cannot be read ({_reason(error)}); {mend}.") from error
    except pickle.UnpicklingError as error:
        raise WeightsError(f"The codec at {path} cannot be read, it holds more than tensors; {mend}.") from error
    return network


def package_names(path: Path, saved: Any) -> dict[str, str]:
    """What the tensors of the package's file at `path`, loaded as `saved`, become in `DacModel`, by their names there.

    Raises:
        WeightsError: another file, or another network.
    """
    try:
        with torch.device("meta"):
            network = _outline(saved["metadata"]["kwargs"])
        layers = {layer: name for name, layer in network.named_modules()}
        return {
            source: f"{layers[layer]}.{'weight' if own in WEIGHT_NORM else own}"
            for layer, sources in _paired(saved["state_dict"], network)
            for own, source in sources.items()
        }
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"{path} holds no DAC that can be read ({_reason(error)}); give weights_44khz.pth of descript-audio-codec."
        ) from error


def _outline(sizes: dict[str, Any]) -> Any:
    """A `DacModel` of the package's `sizes`.

    Raises:
        ValueError: it cannot have them.
    """
    from transformers import DacConfig, DacModel

    rates = list(sizes["encoder_rates"])
    if list(sizes["decoder_rates"]) != rates[::-1]:
        raise ValueError("its decoder is not the encoder's mirror image")
    return DacModel(
        DacConfig(
            encoder_hidden_size=sizes["encoder_dim"],
            downsampling_ratios=rates,
            decoder_hidden_size=sizes["decoder_dim"],
            n_codebooks=sizes["n_codebooks"],
            codebook_size=sizes["codebook_size"],
            codebook_dim=sizes["codebook_dim"],
            sampling_rate=sizes["sample_rate"],
        )
    )


def _paired(state: dict[str, Tensor], network: nn.Module) -> Iterator[tuple[nn.Module, dict[str, str]]]:
    """Each layer of `network` with the names of the package's tensors for it, by what they are in the layer.

    Both list a part's layers in the same order, under other names.

    Raises:
        ValueError: other layers.
    """
    parts = dict.fromkeys(name.partition(".")[0] for name in state)
    layers = [
        module
        for part in parts
        for module in network.get_submodule(part).modules()
        if list(module.parameters(recurse=False))
    ]
    groups = [
        {name.rpartition(".")[2]: name for name in names}
        for _, names in itertools.groupby(state, key=lambda name: name.rpartition(".")[0])
    ]
    return zip(layers, groups, strict=True)


@torch.no_grad()
def _copy(state: dict[str, Tensor], network: nn.Module) -> None:
    """Give `network` the package's tensors.

    Raises:
        ValueError: other layers.
    """
    for layer, sources in _paired(state, network):
        tensors = {name: state[source] for name, source in sources.items()}
        if tensors.keys() >= WEIGHT_NORM:
            # Weight normalisation, multiplied out.
            tensors["weight"] = torch._weight_norm(tensors.pop("weight_v"), tensors.pop("weight_g"), 0)
        own = dict(layer.named_parameters(recurse=False))
        if {name: tensor.shape for name, tensor in own.items()} != {name: t.shape for name, t in tensors.items()}:
            raise ValueError(f"{type(layer).__name__} does not fit the tensors {', '.join(tensors)}")
        for name, tensor in own.items():
            tensor.copy_(tensors[name])


def _reason(error: Exception) -> str:
    """What went wrong, in a line."""
    said = (str(error).strip() or "nothing is said").splitlines()[0][:200].rstrip(".")
    return f"{type(error).__name__}: {said}"
