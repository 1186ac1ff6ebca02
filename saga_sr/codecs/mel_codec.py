"""Codecs that keep a mel spectrogram and lose the phase: what they share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from saga_sr.codecs.codec import Codec
from saga_sr.codecs.delay import delay_of
from saga_sr.codecs.griffin_lim import GriffinLim
from saga_sr.codecs.mel_spectrogram import MelSettings, MelSpectrogram
from saga_sr.core.errors import AudioError, ConfigError
from saga_sr.core.pretrained import PretrainedNetwork

# Frames on each side that are repeated, so that sound is there where a delay is undone.
EDGE = 2


class MelCodec(Codec):
    """Mono audio -> log-mel spectrogram -> latent, and back by a vocoder or Griffin-Lim.

    What is late on the way back is measured and undone. Networks compute in the dtype of their weights, all else in
    float32.

    Args:
        settings: of the spectrogram.
        latent_dim, hop_length: see `Codec`.
        vocoder: log-mel spectrogram [b, n_mels, frame] -> audio [b, time]; None where there is Griffin-Lim only.
        inverter: one of `inverters`; the first of them by default.
        iterations: of Griffin-Lim.

    Attributes:
        delays: samples by which each inverter is late; Griffin-Lim never is.

    Raises:
        ConfigError: an unknown `inverter`, or a vocoder that is not there.
    """

    inverters: tuple[str, ...] = ("vocoder", "griffin_lim")

    def __init__(
        self,
        settings: MelSettings,
        latent_dim: int,
        hop_length: int,
        vocoder: nn.Module | None,
        inverter: str | None,
        iterations: int,
    ) -> None:
        super().__init__(settings.sample_rate, 1, latent_dim, hop_length)
        mel = MelSpectrogram(settings)
        self.mel = PretrainedNetwork(mel)
        networks = {"vocoder": vocoder, "griffin_lim": GriffinLim(mel, iterations)}
        self.inverter_networks = nn.ModuleDict(
            {name: PretrainedNetwork(network) for name, network in networks.items() if network is not None}
        )
        self.inverters = tuple(self.inverter_networks)
        self.inverter = self.inverters[0] if inverter is None else inverter
        if self.inverter not in self.inverters:
            raise ConfigError(
                f"codec.inverter={inverter} is not there; choose one of {', '.join(self.inverters)}, or give the path "
                "of a vocoder (codec.path=...)."
            )
        self.delays = dict.fromkeys(self.inverters, 0)
        if vocoder is not None:
            self.delays["vocoder"] = delay_of(lambda log_mel: self._inverted(log_mel, "vocoder"), mel)

    @abstractmethod
    def to_latent(self, log_mel: Tensor) -> Tensor:
        """Raw latent [b, latent_dim, frame] of a spectrogram, whose time is a whole number of latent frames."""

    @abstractmethod
    def to_log_mel(self, raw: Tensor) -> Tensor:
        """What `to_latent` was given, as far as the latent keeps it."""

    @torch.no_grad()
    def analyse(self, audio: Tensor) -> Tensor:
        """Raw latent [b, latent_dim, ceil(time / hop)] of `audio` [b, 1, time].

        Raises:
            AudioError: `audio` is shorter than a window of the spectrogram.
        """
        with torch.autocast(audio.device.type, enabled=False):
            return self.to_latent(self.log_mel(audio)).float()

    @torch.no_grad()
    def synthesise(self, raw: Tensor, length: int) -> Tensor:
        """Audio [b, 1, length] of a raw latent."""
        with torch.autocast(raw.device.type, enabled=False):
            return self.invert(self.to_log_mel(raw).float(), length)

    def log_mel(self, audio: Tensor) -> Tensor:
        """Log-mel spectrogram of `audio` [b, 1, time], which silence fills up to a whole number of latent frames."""
        mel: MelSpectrogram = self.mel.network
        length, frame = audio.shape[-1], mel.settings.n_fft
        if length < frame:
            raise AudioError(
                f"A clip of {length} samples is shorter than one frame of this codec, {frame} samples "
                f"({1000 * frame / self.sample_rate:.0f} ms); give a longer one, or choose codec=mdct."
            )
        frames = -(-length // self.hop_length) * self.hop_length // mel.settings.hop_length
        whole = pad(audio[:, 0].float(), (0, frames * mel.settings.hop_length - length))
        return mel(whole)[..., :frames]

    def invert(self, log_mel: Tensor, length: int) -> Tensor:
        """Audio [b, 1, length] of a log-mel spectrogram, in time with the audio that it was made of."""
        late = EDGE * self.mel.network.settings.hop_length + self.delays[self.inverter]
        audio = self._inverted(pad(log_mel, (EDGE, EDGE), mode="replicate"), self.inverter).float()
        audio = audio[:, max(late, 0) :]
        return pad(audio, (max(-late, 0), length))[:, None, :length]

    def inverter_network(self, name: str) -> Any:
        """What turns spectrograms into audio, by its name among `inverters`."""
        return cast(PretrainedNetwork, self.inverter_networks[name]).network

    def _inverted(self, log_mel: Tensor, name: str) -> Tensor:
        network = self.inverter_network(name)
        weight = next(network.parameters(), log_mel)
        return network(log_mel.to(weight.dtype))
