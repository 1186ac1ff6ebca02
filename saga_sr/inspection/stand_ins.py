"""What takes the place of networks whose weights are not on this machine: of their sizes, without their values."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saga_sr.codecs.codec import Codec


class UnreadCodec(Codec):
    """A codec of which only the sizes are known; its latents hold nothing."""

    def analyse(self, audio: Tensor) -> Tensor:
        """An empty latent [b, latent_dim, ceil(time / hop)]."""
        return audio.new_empty(len(audio), self.latent_dim, -(-audio.shape[-1] // self.hop_length))

    def synthesise(self, raw: Tensor, length: int) -> Tensor:
        """Empty audio [b, channels, length]."""
        return raw.new_empty(len(raw), self.channels, length)


class UnreadText(nn.Module):
    """A `TextCondition` whose encoder is not there: no caption has any tokens.

    Args:
        width, max_tokens, dropout: see `TextCondition`.
        encoder_width: of the encoder's embeddings.
    """

    def __init__(self, width: int, max_tokens: int, dropout: float, encoder_width: int) -> None:
        super().__init__()
        self.width = width
        self.max_tokens = max_tokens
        self.dropout = dropout
        self.project = nn.Linear(encoder_width, width) if width != encoder_width else None

    def forward(self, captions: Sequence[str], device: torch.device) -> Tensor:
        """Zeros [b, max_tokens, width]."""
        return torch.zeros(len(captions), self.max_tokens, self.width, device=device)
