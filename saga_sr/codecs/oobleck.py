"""Stable Audio's autoencoder as a codec: stereo, 21.5 latent frames of 64 channels a second, weights from a folder."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from saga_sr.codecs.codec import Codec
from saga_sr.errors import ConfigError, WeightsError
from saga_sr.frozen import Frozen


class Oobleck(Codec):
    """The variational autoencoder of Stable Audio (Evans et al. 2024), as `AutoencoderOobleck` of diffusers has it.

    A latent is the posterior's mean. Long audio passes through in pieces; each sees as much around it as the network
    does, so nothing changes at their seams. It always computes in float32, without gradients. The network is not in
    the `state_dict`: it stays in its own folder.

    Args:
        path: folder on this disk with the network's `config.json` and safetensors weights, or a diffusers pipeline's
            folder with them under `vae/`.
        sample_rate, channels, latent_dim: must be the network's.
        chunk_s: seconds of audio that are in the network at once, a batch's items counted together.

    Raises:
        ConfigError: `sample_rate`, `channels` or `latent_dim` is not the network's, or `chunk_s` is not positive.
        WeightsError: no such network can be read at `path`.
    """

    def __init__(
        self, path: str, sample_rate: int = 44_100, channels: int = 2, latent_dim: int = 64, chunk_s: float = 30.0
    ) -> None:
        if not 0 < chunk_s < math.inf:
            raise ConfigError(f"codec.chunk_s={chunk_s} must be a positive number of seconds.")
        network = load_oobleck(Path(path))
        found = network.config
        for key, value, stated in (
            ("sample_rate", sample_rate, found.sampling_rate),
            ("channels", channels, found.audio_channels),
            ("latent_dim", latent_dim, found.decoder_input_channels),
        ):
            if value != stated:
                raise ConfigError(
                    f"codec.{key}={value} differs from the {stated} of the autoencoder at {path}; "
                    f"set codec.{key}={stated}."
                )
        super().__init__(sample_rate, channels, latent_dim, math.prod(found.downsampling_ratios))
        first, last = inputs_seen(network.encoder, 0, 0)
        self._encoder_context = math.ceil(max(-first, last - self.hop_length + 1) / self.hop_length)
        first, last = inputs_seen(network.decoder, 0, self.hop_length - 1)
        self._decoder_context = max(-first, last)
        self._chunk_frames = max(1, round(chunk_s * sample_rate / self.hop_length))
        self.autoencoder = Frozen(network)

    @torch.no_grad()
    def analyse(self, audio: Tensor) -> Tensor:
        """Posterior means [b, latent_dim, ceil(time / hop)] of `audio` [b, channels, time]."""
        hop, frames = self.hop_length, -(-audio.shape[-1] // self.hop_length)
        raw = audio.new_empty((audio.shape[0], self.latent_dim, frames), dtype=torch.float32)
        for items, core, seen in self._pieces(len(raw), frames, self._encoder_context):
            piece = audio[items, :, seen.start * hop : seen.stop * hop].float()
            piece = pad(piece, (0, (seen.stop - seen.start) * hop - piece.shape[-1]))
            with torch.autocast(audio.device.type, enabled=False):
                mean = self.autoencoder.network.encode(piece).latent_dist.mean
            raw[items, :, core] = mean[..., core.start - seen.start : core.stop - seen.start]
        return raw

    @torch.no_grad()
    def synthesise(self, raw: Tensor, length: int) -> Tensor:
        """Audio [b, channels, length] of a raw latent, which must have frames for that length."""
        hop, frames = self.hop_length, raw.shape[-1]
        audio = raw.new_empty((raw.shape[0], self.channels, frames * hop), dtype=torch.float32)
        for items, core, seen in self._pieces(len(raw), frames, self._decoder_context):
            with torch.autocast(raw.device.type, enabled=False):
                piece = self.autoencoder.network.decode(raw[items, :, seen].float()).sample
            kept = piece[..., (core.start - seen.start) * hop : (core.stop - seen.start) * hop]
            audio[items, :, core.start * hop : core.stop * hop] = kept
        return audio[..., :length]

    def _pieces(self, items: int, frames: int, context: int) -> Iterator[tuple[slice, slice, slice]]:
        """Items, frames to keep, and frames to compute: those and `context` around them where the recording has it."""
        for start in range(0, frames, self._chunk_frames):
            core = slice(start, min(start + self._chunk_frames, frames))
            seen = slice(max(core.start - context, 0), min(core.stop + context, frames))
            together = max(1, (self._chunk_frames + 2 * context) // (seen.stop - seen.start))
            for first in range(0, items, together):
                yield slice(first, first + together), core, seen

    def save_pretrained(self, folder: Path) -> None:
        """Write the network, config.json and safetensors, so that `Oobleck(folder)` reads it again."""
        self.autoencoder.network.save_pretrained(folder)


def inputs_seen(stack: nn.Module, first: int, last: int) -> tuple[int, int]:
    """The first and last input that outputs `first` to `last` of Oobleck's encoder or decoder depend on.

    Walks the convolutions from the output back. Both stacks are chains whose modules are listed in the order in which
    they run; the skips of the residual units see no more than the convolutions beside them. With Stable Audio's strides
    a latent frame depends on 14885 samples (7.3 frames) before and after its own, and a frame of audio on 10 latents.
    """
    for module in reversed(list(stack.modules())):
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            stride, padding = module.stride[0], int(module.padding[0])
            width = module.dilation[0] * (module.kernel_size[0] - 1)
            if isinstance(module, nn.Conv1d):
                first, last = first * stride - padding, last * stride - padding + width
            else:
                first, last = -((width - padding - first) // stride), (last + padding) // stride
    return first, last


def load_oobleck(path: Path) -> Any:
    """diffusers' `AutoencoderOobleck` at `path` in float32; nothing is downloaded, and no pickle is opened.

    Raises:
        WeightsError: it is missing, incomplete, damaged or something else.
    """
    folder = path / "vae" if (path / "vae" / "config.json").is_file() else path
    _check_folder(folder)
    from diffusers import AutoencoderOobleck

    try:
        network, report = AutoencoderOobleck.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False, output_loading_info=True
        )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise WeightsError(
            f"The autoencoder at {folder} cannot be read ({reason}), its files are truncated, damaged or do not belong "
            "together; copy the folder again."
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise WeightsError(
            f"The weights at {folder} lack {len(missing)} of the autoencoder's tensors, {missing[0]} among them; "
            "copy the folder again."
        )
    if any(ratio % 2 for ratio in network.config.downsampling_ratios):
        raise WeightsError(
            f"The autoencoder at {folder} has downsampling ratios {network.config.downsampling_ratios}, and odd ones "
            "do not give back the length they were given; choose one with even ratios."
        )
    # Where it lay on this disk is of no use to whoever reads what `save_pretrained` writes.
    network.register_to_config(_name_or_path="")
    return network.float()


def _check_folder(folder: Path) -> None:
    mend = "give the folder of Stable Audio's autoencoder or pipeline in diffusers' format (codec.path=...)"
    if not folder.is_dir():
        raise WeightsError(f"There is no folder {folder}, and nothing is downloaded; {mend}.")
    if not (folder / "config.json").is_file():
        raise WeightsError(f"{folder} holds no autoencoder, since it has no config.json; {mend}.")
    try:
        config = json.loads((folder / "config.json").read_text())
    except ValueError as error:
        raise WeightsError(
            f"{folder / 'config.json'} is not valid JSON ({error}), it is truncated or damaged; copy the folder again."
        ) from error
    name = config.get("_class_name") if isinstance(config, dict) else None
    if name != "AutoencoderOobleck":
        raise WeightsError(f"{folder / 'config.json'} describes {name}, not an AutoencoderOobleck; {mend}.")
    if not any(folder.glob("*.safetensors")):
        raise WeightsError(
            f"{folder} holds no safetensors weights, and pickled ones are not opened since they can run code; "
            "copy diffusion_pytorch_model.safetensors there."
        )
