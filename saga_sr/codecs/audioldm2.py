"""AudioLDM2's autoencoder of mel spectrograms as a codec: 16 kHz mono, 25 latent frames of 8 x 16 a second."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from saga_sr.codecs.chunked import check_stated
from saga_sr.codecs.delay import frames_late, probe
from saga_sr.codecs.mel_codec import MelCodec
from saga_sr.codecs.mel_spectrogram import MelSettings
from saga_sr.codecs.published import check_folder, load_network, stored_dtype
from saga_sr.core.errors import WeightsError
from saga_sr.core.pretrained import PretrainedNetwork
from saga_sr.weights.hub_folder import folder_of

# What the published networks were trained with, in the code of their authors.
SETTINGS = MelSettings(16_000, n_fft=1024, hop_length=160, n_mels=64, fmin=0, fmax=8000, padding="center", floor=1e-5)
PARTS = ("vae", "vocoder")
MEND = "give the folder of a pipeline of AudioLDM2 in diffusers' format (codec.path=...)"
# The most mel frames by which an autoencoder is looked at for being late.
MOST_LATE = 8


class AudioLDM2(MelCodec):
    """The variational autoencoder and the vocoder of AudioLDM2 (Liu et al. 2023), by diffusers and transformers.

    A latent is the posterior's mean times the network's scaling factor; its channels and its bands are flattened to one
    dimension. Trained on clips whose peak is 0.5.

    Args:
        path: folder of a pipeline of diffusers, with the autoencoder under `vae/` and a SpeechT5HifiGan under
            `vocoder/`, or the name of one on a hub, which is fetched.
        sample_rate, latent_dim: must be the networks'.
        inverter: `vocoder` or `griffin_lim`.
        iterations: of Griffin-Lim.

    Raises:
        ConfigError: `sample_rate` or `latent_dim` is not the networks', or an unknown `inverter`.
        WeightsError: no such networks can be read at `path`.
    """

    PUBLISHED_CHANNELS = 1
    PUBLISHED_HOP = 640

    def __init__(
        self,
        path: str,
        sample_rate: int = 16_000,
        latent_dim: int = 128,
        inverter: str = "vocoder",
        iterations: int = 32,
    ) -> None:
        folder = folder_of(path, PARTS, "codec.path")
        autoencoder, vocoder = load_parts(folder)
        factor = 2 ** (len(autoencoder.config.block_out_channels) - 1)
        check_stated(
            path,
            sample_rate=(sample_rate, SETTINGS.sample_rate),
            latent_dim=(latent_dim, autoencoder.config.latent_channels * SETTINGS.n_mels // factor),
        )
        super().__init__(SETTINGS, latent_dim, factor * SETTINGS.hop_length, vocoder, inverter, iterations)
        self.autoencoder = PretrainedNetwork(autoencoder)
        late = self._autoencoder_delay() * SETTINGS.hop_length
        self.delays = {name: delay + late for name, delay in self.delays.items()}

    def to_latent(self, log_mel: Tensor) -> Tensor:
        network = self.autoencoder.network
        encoded = network.encode(log_mel.mT[:, None].to(network.dtype)).latent_dist.mean
        # [b, channel, frame, band] -> [b, channel * band, frame]
        return (encoded * network.config.scaling_factor).mT.flatten(1, 2)

    def to_log_mel(self, raw: Tensor) -> Tensor:
        network = self.autoencoder.network
        latent = raw.unflatten(1, (network.config.latent_channels, -1)).mT / network.config.scaling_factor
        return network.decode(latent.to(network.dtype)).sample[:, 0].mT

    def save_pretrained(self, folder: Path) -> None:
        """Write both networks, so that this codec reads them again from `folder`."""
        self.autoencoder.network.save_pretrained(folder / "vae")
        self.inverter_network("vocoder").vocoder.save_pretrained(folder / "vocoder")

    def _autoencoder_delay(self) -> int:
        """Mel frames by which the autoencoder is late; 0 where what comes out is nothing like what went in."""
        bursts = self.log_mel(probe(self.sample_rate, self.sample_rate)[None])
        return frames_late(lambda mel: self.to_log_mel(self.to_latent(mel)), bursts, MOST_LATE)


class SpeechT5Vocoder(nn.Module):
    """transformers' vocoder, which reads [b, frame, n_mels], for spectrograms [b, n_mels, frame]."""

    def __init__(self, vocoder: Any) -> None:
        super().__init__()
        self.vocoder = vocoder

    def forward(self, log_mel: Tensor) -> Tensor:
        """Audio [b, time]."""
        return self.vocoder(log_mel.mT)


def load_parts(folder: Path) -> tuple[Any, SpeechT5Vocoder]:
    """The autoencoder and the vocoder of the pipeline in `folder`, in the dtypes that they are stored in.

    Raises:
        WeightsError: one is missing, incomplete, damaged or something else.
    """
    check_folder(folder / "vae", "AutoencoderKL", MEND)
    check_folder(folder / "vocoder", "SpeechT5HifiGan", MEND)
    from diffusers import AutoencoderKL
    from transformers import SpeechT5HifiGan

    places = folder / "vae", folder / "vocoder"
    autoencoder = load_network(
        AutoencoderKL, places[0], MEND, low_cpu_mem_usage=False, torch_dtype=stored_dtype(places[0])
    )
    vocoder = load_network(SpeechT5HifiGan, places[1], MEND, dtype=stored_dtype(places[1]))
    found, heard = autoencoder.config, vocoder.config
    stated = (found.in_channels, heard.model_in_dim, heard.sampling_rate, math.prod(heard.upsample_rates))
    expected = (1, SETTINGS.n_mels, SETTINGS.sample_rate, SETTINGS.hop_length)
    if stated != expected:
        names = ("channels of the autoencoder", "bands", "Hz", "samples a frame of the vocoder")
        said, wanted = (", ".join(f"{n} {name}" for n, name in zip(x, names, strict=True)) for x in (stated, expected))
        raise WeightsError(f"The networks at {folder} are of another model, with {said}, not {wanted}; {MEND}.")
    # Where it lay on this disk is of no use to whoever reads what `save_pretrained` writes.
    autoencoder.register_to_config(_name_or_path="")
    return autoencoder, SpeechT5Vocoder(vocoder)
