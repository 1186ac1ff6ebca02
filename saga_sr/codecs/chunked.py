"""Codecs that are convolutional networks: long audio passes through in pieces that give what the whole would give."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from saga_sr.codecs.codec import Codec
from saga_sr.core.errors import ConfigError
from saga_sr.core.pretrained import PretrainedNetwork


class ChunkedCodec(Codec):
    """A frozen network with an `encoder` and a `decoder`, both chains of convolutions.

    Each piece sees as much around it as the network does, so nothing changes at the seams. It always computes in
    float32, without gradients. The network is not in the `state_dict`: it stays in its own folder.

    Args:
        network: with attributes `encoder`, `decoder` and `save_pretrained(folder)`.
        sample_rate, channels, latent_dim, hop_length: see `Codec`.
        chunk_s: seconds of audio that are in the network at once, a batch's items counted together.

    Attributes:
        PUBLISHED_CHANNELS, PUBLISHED_HOP: `channels` and `hop_length` of the network as it was published, for who has
            no weights at hand; an instance states its own.

    Raises:
        ConfigError: `chunk_s` is not positive.
    """

    PUBLISHED_CHANNELS: int
    PUBLISHED_HOP: int

    def __init__(
        self, network: Any, sample_rate: int, channels: int, latent_dim: int, hop_length: int, chunk_s: float
    ) -> None:
        if not 0 < chunk_s < math.inf:
            raise ConfigError(f"codec.chunk_s={chunk_s} must be a positive number of seconds.")
        super().__init__(sample_rate, channels, latent_dim, hop_length)
        first, last = inputs_seen(network.encoder, 0, 0)
        self._encoder_context = math.ceil(max(-first, last - hop_length + 1) / hop_length)
        first, last = inputs_seen(network.decoder, 0, hop_length - 1)
        self._decoder_context = max(-first, last)
        self._chunk_frames = max(1, round(chunk_s * sample_rate / hop_length))
        self.autoencoder = PretrainedNetwork(network)

    @abstractmethod
    def encode_piece(self, audio: Tensor) -> Tensor:
        """Raw latent [b, latent_dim, frame] of a piece [b, channels, frame * hop_length]."""

    @abstractmethod
    def decode_piece(self, raw: Tensor) -> Tensor:
        """Audio [b, channels, frame * hop_length] of a piece of raw latent."""

    @torch.no_grad()
    def analyse(self, audio: Tensor) -> Tensor:
        """Raw latent [b, latent_dim, ceil(time / hop)] of `audio` [b, channels, time]."""
        hop, frames = self.hop_length, -(-audio.shape[-1] // self.hop_length)
        raw = audio.new_empty((audio.shape[0], self.latent_dim, frames), dtype=torch.float32)
        for items, core, seen in self._pieces(len(raw), frames, self._encoder_context):
            piece = audio[items, :, seen.start * hop : seen.stop * hop].float()
            piece = pad(piece, (0, (seen.stop - seen.start) * hop - piece.shape[-1]))
            with torch.autocast(audio.device.type, enabled=False):
                encoded = self.encode_piece(piece)
            raw[items, :, core] = encoded[..., core.start - seen.start : core.stop - seen.start]
        return raw

    @torch.no_grad()
    def synthesise(self, raw: Tensor, length: int) -> Tensor:
        """Audio [b, channels, length] of a raw latent, which must have frames for that length."""
        hop, frames = self.hop_length, raw.shape[-1]
        audio = raw.new_empty((raw.shape[0], self.channels, frames * hop), dtype=torch.float32)
        for items, core, seen in self._pieces(len(raw), frames, self._decoder_context):
            with torch.autocast(raw.device.type, enabled=False):
                piece = self.decode_piece(raw[items, :, seen].float())
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
        """Write the network, so that this codec reads it again from `folder`."""
        self.autoencoder.network.save_pretrained(folder)


def check_stated(path: str, **pairs: tuple[int, int]) -> None:
    """See whether the settings of a codec, by name, are what the network at `path` states.

    Raises:
        ConfigError: one is not.
    """
    for name, (given, stated) in pairs.items():
        if given != stated:
            raise ConfigError(
                f"codec.{name}={given} differs from the {stated} of the network at {path}; set codec.{name}={stated}."
            )


def inputs_seen(stack: nn.Module, first: int, last: int) -> tuple[int, int]:
    """The first and last input that outputs `first` to `last` of an encoder or decoder depend on.

    Walks the convolutions from the output back: both are chains whose modules are listed in the order in which they
    run; the skips of residual units see no more than the convolutions beside them. With Stable Audio's strides a latent
    frame depends on 14885 samples (7.3 frames) before and after its own, and a frame of audio on 10 latents.
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
