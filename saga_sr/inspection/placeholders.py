"""What takes the place of networks whose weights are not on this machine: of their sizes, without their values."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saga_sr.codecs.codec import Codec

# Of T5-base's embeddings, which Stable Audio and SAGA-SR read captions with.
T5_BASE_WIDTH = 768


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
        path: None, in the place of the encoder's.
        width, max_tokens, dropout: see `TextCondition`.
    """

    def __init__(self, path: None, width: int, max_tokens: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.max_tokens = max_tokens
        self.dropout = dropout
        self.project = nn.Linear(T5_BASE_WIDTH, width) if width != T5_BASE_WIDTH else None

    def forward(self, captions: Sequence[str], device: torch.device) -> Tensor:
        """Zeros [b, max_tokens, width]."""
        return torch.zeros(len(captions), self.max_tokens, self.width, device=device)
