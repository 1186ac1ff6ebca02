"""AudioSR's codec: 48 kHz to a mel spectrogram of 256 bands, its autoencoder's latents, and back through a vocoder."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import pad

from saga_sr.codecs.codec import Codec
from saga_sr.codecs.delay import delay_of, frames_late, probe
from saga_sr.codecs.hifigan import HifiGAN, HifiGANSizes
from saga_sr.codecs.mel_codec import EDGE
from saga_sr.codecs.mel_spectrogram import MelSettings, MelSpectrogram
from saga_sr.core.errors import ConfigError
from saga_sr.core.pretrained import PretrainedNetwork
from saga_sr.weights.audiosr import AudioSRWeights, read_audiosr
from saga_sr.weights.audiosr_layout import PUBLISHED, SCALE
from saga_sr.weights.hub_folder import file_of

SAMPLE_RATE, BANDS, HOP = 48_000, 256, 480
MEL = MelSettings(SAMPLE_RATE, 2048, HOP, BANDS, fmin=20.0, fmax=24_000.0, padding="same")
# What a folder's file of tensors is called, in AudioSR's own names.
FILE = "audiosr.safetensors"


def vocoder_sizes(initial: int) -> HifiGANSizes:
    """Those of AudioSR's vocoder, of so many `initial` channels."""
    return HifiGANSizes(
        num_mels=BANDS,
        upsample_rates=(6, 5, 4, 2, 2),
        upsample_kernel_sizes=(12, 10, 8, 4, 4),
        upsample_initial_channel=initial,
        resblock_kernel_sizes=(3, 7, 11, 15),
        resblock_dilation_sizes=((1, 3, 5),) * 4,
    )


class AudioSRNetwork(nn.Module):
    """The autoencoder of mel spectrograms, and the vocoder, with the weights at `path`.

    Raises:
        WeightsError: they are another model's.
    """

    def __init__(self, weights: AudioSRWeights, path: Path) -> None:
        super().__init__()
        from diffusers import AutoencoderKL

        depth = len(weights.vae.sizes["block_out_channels"])
        vae: Any = AutoencoderKL(
            in_channels=1,
            out_channels=1,
            down_block_types=("DownEncoderBlock2D",) * depth,
            up_block_types=("UpDecoderBlock2D",) * depth,
            **weights.vae.sizes,
        )
        self.vocoder = HifiGAN(vocoder_sizes(weights.vocoder.sizes["upsample_initial_channel"]))
        self.vae = vae
        weights.vae.fill(vae, path)
        weights.vocoder.fill(self.vocoder, path)


class AudioSR(Codec):
    """The variational autoencoder and the HiFi-GAN of AudioSR (Liu et al., arXiv 2309.07314); mono.

    A latent is the posterior's mean, [16 channels x 32 bands, frame], 12.5 frames a second, divided by the standard
    deviation that AudioSR measured. Networks always compute in float32, one clip at a time. Levels are those that the
    enhancer shows, which are about those that AudioSR scales its input to. What is late on the way back is measured and
    undone.

    Args:
        path: AudioSR's checkpoint (`pytorch_model.bin`, or its tensors as safetensors), owner/name of one on a hub, or
            a folder of this codec's.
        sample_rate, latent_dim: must be the network's.
        pad_s: latents are those of audio with silence up to a multiple of so many seconds, as AudioSR was trained.

    Attributes:
        stored: the dtype that `save_pretrained` writes.

    Raises:
        ConfigError: `sample_rate` or `latent_dim` is not the network's, or a negative `pad_s`.
        WeightsError: no such network can be read at `path`.
    """

    PUBLISHED_CHANNELS = 1
    PUBLISHED_HOP = 3840

    def __init__(self, path: str, sample_rate: int = SAMPLE_RATE, latent_dim: int = 512, pad_s: float = 5.12) -> None:
        file = Path(path) / FILE if Path(path).is_dir() else file_of(path, PUBLISHED, "codec.path")
        weights = read_audiosr(file)
        shrinks = 2 ** (len(weights.vae.sizes["block_out_channels"]) - 1)
        self._bands = BANDS // shrinks
        for name, given, stated in (
            ("sample_rate", sample_rate, SAMPLE_RATE),
            ("latent_dim", latent_dim, weights.vae.sizes["latent_channels"] * self._bands),
        ):
            if given != stated:
                raise ConfigError(f"codec.{name}={given} differs from AudioSR's {stated}; set codec.{name}={stated}.")
        if not 0 <= pad_s < math.inf:
            raise ConfigError(
                f"codec.pad_s={pad_s} is no number of seconds; give 5.12, or 0 for as little as possible."
            )
        super().__init__(sample_rate, 1, latent_dim, HOP * shrinks)
        self._unit = self.hop_length * max(1, round(pad_s * sample_rate / self.hop_length))
        network = AudioSRNetwork(weights, file)
        # Nothing is lost where they are stored again as they were.
        self.stored = next(iter(weights.vae.tensors.values())).dtype
        self._names = weights.vae.names, weights.vocoder.names
        self.autoencoder = PretrainedNetwork(network.float())
        self.mel = MelSpectrogram(MEL)
        self.latent_scale.fill_(weights.latent_scale)
        self._published_scale = weights.latent_scale

    @torch.no_grad()
    def analyse(self, audio: Tensor) -> Tensor:
        """Raw latent [b, latent_dim, frame] of `audio` [b, 1, time], and of silence after it; see `pad_s`."""
        audio = pad(audio.float(), (0, -audio.shape[-1] % self._unit))
        return torch.cat([self._encode(clip) for clip in audio])

    def _encode(self, clip: Tensor) -> Tensor:
        with torch.autocast(clip.device.type, enabled=False):
            return self._to_latent(self.mel(clip))

    def _to_latent(self, mel: Tensor) -> Tensor:
        image = rearrange(mel, "b m t -> b 1 t m")
        return rearrange(self.autoencoder.network.vae.encode(image).latent_dist.mode(), "b c t f -> b (c f) t")

    def _to_mel(self, raw: Tensor) -> Tensor:
        latent = rearrange(raw, "b (c f) t -> b c t f", f=self._bands)
        return rearrange(self.autoencoder.network.vae.decode(latent).sample, "b 1 t m -> b m t")

    @torch.no_grad()
    def synthesise(self, raw: Tensor, length: int) -> Tensor:
        """Audio [b, 1, length] of a raw latent, which must have frames for that length."""
        return torch.stack([self._decode(clip[None]) for clip in raw.float()])[..., :length]

    def _decode(self, raw: Tensor) -> Tensor:
        with torch.autocast(raw.device.type, enabled=False):
            # Frames on both sides, so that sound is there where the delay is undone.
            mel = pad(self._to_mel(raw), (EDGE, EDGE), mode="replicate")
            return self.autoencoder.network.vocoder(mel)[:, EDGE * HOP + self.delay :]

    @cached_property
    @torch.no_grad()
    def delay(self) -> int:
        """Samples by which the vocoder, and the autoencoder before it, are late, up to `EDGE` frames."""
        bursts = self.mel(probe(SAMPLE_RATE, 12 * self.hop_length).to(self.mel.filters))
        late = HOP * frames_late(lambda mel: self._to_mel(self._to_latent(mel)), bursts, EDGE - 1)
        late += delay_of(self.autoencoder.network.vocoder, self.mel)
        return max(-EDGE * HOP, min(late, EDGE * HOP))

    def save_pretrained(self, folder: Path) -> None:
        """Write the networks, so that this codec reads them again from `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        network = self.autoencoder.network
        tensors = {
            theirs: own[ours].to(self.stored).cpu().contiguous()
            for own, names in zip((network.vae.state_dict(), network.vocoder.state_dict()), self._names, strict=True)
            for ours, theirs in names.items()
        }
        save_file(tensors | {SCALE: torch.tensor(1 / self._published_scale)}, folder / FILE)
