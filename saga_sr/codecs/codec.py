"""The protocol of a latent codec, with the normalisation that all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from saga_sr.codecs.statistics import ChannelSums
from saga_sr.core.errors import ConfigError, DataError

# A cutoff's filter has fallen here, relative to it.
TRANSITION = 1.03


class Codec(nn.Module, ABC):
    """Waveform [b, channels, time] <-> latent [b, latent_dim, frame] of roughly unit variance.

    Attributes:
        sample_rate: Hz.
        channels: audio channels that it encodes together.
        latent_dim: latent channels.
        hop_length: audio samples a latent frame stands for.
        inverters: the ways back to audio that can be chosen by `codec.inverter`, where there are several; `inverter` is
            the one that is taken.
        latent_mean, latent_scale: buffers [latent_dim, 1]; a latent is (raw - mean) / scale.
    """

    inverters: tuple[str, ...] = ()
    inverter: str
    latent_mean: Tensor
    latent_scale: Tensor

    def __init__(self, sample_rate: int, channels: int, latent_dim: int, hop_length: int) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.channels = channels
        self.latent_dim = latent_dim
        self.hop_length = hop_length
        self.register_buffer("latent_mean", torch.zeros(latent_dim, 1))
        self.register_buffer("latent_scale", torch.ones(latent_dim, 1))

    @abstractmethod
    def analyse(self, audio: Tensor) -> Tensor:
        """Raw latent [b, latent_dim, frame] of `audio` [b, channels, time]."""

    @abstractmethod
    def synthesise(self, raw: Tensor, length: int) -> Tensor:
        """Audio [b, channels, length] of a raw latent."""

    def channels_below(self, edge_hz: Tensor) -> Tensor:
        """Which channels tell of frequencies up to `edge_hz` [b] alone, bool [b, latent_dim, 1].

        All of them, in a latent whose channels are no frequencies.
        """
        return torch.ones(len(edge_hz), self.latent_dim, 1, dtype=torch.bool, device=edge_hz.device)

    def without_rounding(self, z: Tensor, cutoff_hz: Tensor) -> Tensor:
        """A latent `z` of audio that ends at `cutoff_hz` [b], with nothing where there is nothing.

        What rounding leaves above is far below any sound, but a network that is shown levels sees it, and it changes
        with the gain of a recording.
        """
        return z * self.channels_below(TRANSITION * cutoff_hz.to(z.device))

    def replicated(self, z: Tensor, cutoff_hz: Tensor, noise: Tensor) -> Tensor:
        """Of unit variance as `noise` [b, latent_dim, frame] is, but with the fine structure of `z` below the cutoff.

        Raises:
            ConfigError: the latent's channels are no frequencies.
        """
        raise ConfigError("sampler.noise=replicated needs codec=mdct, whose latent is a spectrum; choose gaussian.")

    def encode(self, audio: Tensor) -> Tensor:
        """Normalised latent [b, latent_dim, frame] of `audio` [b, c, time]; other channel counts are folded."""
        return self.normalise(self.analyse(self.fold(audio)))

    def normalise(self, raw: Tensor) -> Tensor:
        """The latent [b, latent_dim, frame] of a raw one."""
        return (raw.float() - self.latent_mean) / self.latent_scale

    def decode(self, latent: Tensor, length: int) -> Tensor:
        """Audio [b, channels, length] of a normalised latent."""
        return self.synthesise(latent.float() * self.latent_scale + self.latent_mean, length)

    def apart(self, audio: Tensor) -> Tensor:
        """`audio` [b, c, time] as it is encoded without loss of a channel: [n, channels, time].

        As it is where it has the codec's channels, or else each channel by itself.
        """
        return audio if audio.shape[1] == self.channels else self.fold(audio.flatten(0, 1)[:, None])

    def together(self, decoded: Tensor, channels: int) -> Tensor:
        """What `apart` took apart, [b, channels, time], of [n, codec's channels, time]."""
        if channels == self.channels:
            return decoded
        return decoded.mean(dim=1).unflatten(0, (-1, channels))

    def fold(self, audio: Tensor) -> Tensor:
        """`audio` [b, c, time] with this codec's number of channels: mono is repeated, others are mixed to mono."""
        if audio.shape[1] == self.channels:
            return audio
        mono = audio.mean(dim=1, keepdim=True)
        return mono.expand(-1, self.channels, -1)

    @torch.no_grad()
    def fit_statistics(self, batches: Iterable[Tensor]) -> None:
        """Set mean and scale so that the latents of `batches` of audio [b, c, time] have mean 0 and variance 1.

        Raises:
            DataError: the batches hold no sound.
        """
        sums = ChannelSums.none(self.latent_dim)
        for audio in batches:
            sums += ChannelSums.of(self.analyse(self.fold(audio)))
        self.set_statistics(*sums.mean_and_deviation())

    def set_statistics(self, mean: Tensor, deviation: Tensor) -> None:
        """Normalise by the mean and standard deviation [latent_dim] of each channel.

        A channel that never moves keeps scale 1e-4 of the loudest.

        Raises:
            DataError: no channel moves.
        """
        if not deviation.max() > 0:
            raise DataError("The training audio is silent, so latents cannot be normalised; give audio with sound.")
        self.latent_mean.copy_(mean[:, None])
        self.latent_scale.copy_(deviation.clamp(min=1e-4 * float(deviation.max()))[:, None])
