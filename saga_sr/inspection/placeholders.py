"""What takes the place of networks whose weights are not on this machine: of their sizes, without their values."""

from __future__ import annotations

from torch import Tensor

from saga_sr.codecs.codec import Codec


class UnreadCodec(Codec):
    """A codec of which only the sizes are known; its latents hold nothing."""

    def analyse(self, audio: Tensor) -> Tensor:
        """An empty latent [b, latent_dim, ceil(time / hop)]."""
        return audio.new_empty(len(audio), self.latent_dim, -(-audio.shape[-1] // self.hop_length))

    def synthesise(self, raw: Tensor, length: int) -> Tensor:
        """Empty audio [b, channels, length]."""
        return raw.new_empty(len(raw), self.channels, length)
