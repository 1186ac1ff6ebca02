"""Stable Audio's autoencoder as a codec: stereo, 21.5 latent frames of 64 channels a second, weights from a folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from torch import Tensor

from saga_sr.codecs.chunked import ChunkedCodec, check_stated
from saga_sr.codecs.published import check_folder, load_network
from saga_sr.core.errors import WeightsError

MEND = "give the folder of Stable Audio's autoencoder or pipeline in diffusers' format (codec.path=...)"


class Oobleck(ChunkedCodec):
    """The variational autoencoder of Stable Audio (Evans et al. 2024), as `AutoencoderOobleck` of diffusers has it.

    A latent is the posterior's mean.

    Args:
        path: folder on this disk with the network's `config.json` and safetensors weights, or a diffusers pipeline's
            folder with them under `vae/`.
        sample_rate, channels, latent_dim: must be the network's.
        chunk_s: seconds of audio that are in the network at once, a batch's items counted together.

    Raises:
        ConfigError: `sample_rate`, `channels` or `latent_dim` is not the network's, or `chunk_s` is not positive.
        WeightsError: no such network can be read at `path`.
    """

    PUBLISHED_CHANNELS = 2
    PUBLISHED_HOP = 2048

    def __init__(
        self, path: str, sample_rate: int = 44_100, channels: int = 2, latent_dim: int = 64, chunk_s: float = 30.0
    ) -> None:
        network = load_oobleck(Path(path))
        found = network.config
        check_stated(
            path,
            sample_rate=(sample_rate, found.sampling_rate),
            channels=(channels, found.audio_channels),
            latent_dim=(latent_dim, found.decoder_input_channels),
        )
        super().__init__(network, sample_rate, channels, latent_dim, math.prod(found.downsampling_ratios), chunk_s)

    def encode_piece(self, audio: Tensor) -> Tensor:
        return self.autoencoder.network.encode(audio).latent_dist.mean

    def decode_piece(self, raw: Tensor) -> Tensor:
        return self.autoencoder.network.decode(raw).sample


def load_oobleck(path: Path) -> Any:
    """diffusers' `AutoencoderOobleck` at `path` in float32; nothing is downloaded, and no pickle is opened.

    Raises:
        WeightsError: it is missing, incomplete, damaged or something else.
    """
    folder = path / "vae" if (path / "vae" / "config.json").is_file() else path
    check_folder(folder, "AutoencoderOobleck", MEND)
    from diffusers import AutoencoderOobleck

    network = load_network(AutoencoderOobleck, folder, MEND, low_cpu_mem_usage=False)
    if any(ratio % 2 for ratio in network.config.downsampling_ratios):
        raise WeightsError(
            f"The autoencoder at {folder} has downsampling ratios {network.config.downsampling_ratios}, and odd ones "
            "do not give back the length they were given; choose one with even ratios."
        )
    # Where it lay on this disk is of no use to whoever reads what `save_pretrained` writes.
    network.register_to_config(_name_or_path="")
    return network.float()
