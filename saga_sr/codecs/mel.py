"""A log-mel spectrogram as the latent itself: no autoencoder, and audio from a vocoder or Griffin-Lim."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from saga_sr.codecs.chunked import check_stated
from saga_sr.codecs.mel_codec import MelCodec
from saga_sr.codecs.mel_spectrogram import MelSettings
from saga_sr.codecs.vocoder import load_vocoder, save_vocoder


class Mel(MelCodec):
    """Bands of a mel spectrogram, a latent channel each.

    Args:
        path: a vocoder's folder on this disk, in the layout of HiFi-GAN, BigVGAN or Vocos, whose spectrogram is taken;
            None for Griffin-Lim alone.
        sample_rate: Hz; must be the vocoder's.
        latent_dim: bands; must be the vocoder's.
        n_fft, hop_length: samples, without a vocoder.
        inverter: `vocoder` or `griffin_lim`; the vocoder by default where there is one.
        iterations: of Griffin-Lim.

    Raises:
        ConfigError: settings that are not the vocoder's, or impossible ones.
        WeightsError: no vocoder can be read at `path`.
    """

    def __init__(
        self,
        path: str | None = None,
        sample_rate: int = 44_100,
        latent_dim: int = 128,
        n_fft: int = 2048,
        hop_length: int = 512,
        inverter: str | None = None,
        iterations: int = 32,
    ) -> None:
        settings = MelSettings(sample_rate, n_fft, hop_length, latent_dim, padding="same", epsilon=1e-9)
        vocoder = None if path is None else load_vocoder(Path(path))
        if vocoder is not None:
            settings = vocoder.mel
            check_stated(
                str(path),
                sample_rate=(sample_rate, settings.sample_rate),
                latent_dim=(latent_dim, settings.n_mels),
            )
        network = None if vocoder is None else vocoder.network
        super().__init__(settings, settings.n_mels, settings.hop_length, network, inverter, iterations)
        self.config = None if vocoder is None else vocoder.config

    def to_latent(self, log_mel: Tensor) -> Tensor:
        return log_mel

    def to_log_mel(self, raw: Tensor) -> Tensor:
        return raw

    def save_pretrained(self, folder: Path) -> None:
        """Write the vocoder, so that this codec reads it again from `folder`."""
        assert self.config is not None, "a codec without a path has nothing to write"
        save_vocoder(self.inverter_network("vocoder"), self.config, folder)
