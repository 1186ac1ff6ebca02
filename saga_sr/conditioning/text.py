"""Text as condition: what a recording contains, in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from saga_sr.conditioning.dropout import probability
from saga_sr.conditioning.t5 import CaptionReader
from saga_sr.core.pretrained import PretrainedNetwork


class TextCondition(nn.Module):
    """Captions as tokens, by a frozen T5 encoder that runs once for each caption.

    Shorter captions are filled up with zeros, which are attended to, as in Stable Audio; no caption at all is the null
    condition, nothing but zeros.

    Args:
        path: folder with a T5 model and its tokenizer, as `save_pretrained` writes them.
        width: of a token; another than the encoder's adds a linear map that is trained.
        max_tokens: longer captions are cut.
        dropout: share of training examples that are not told.

    Raises:
        WeightsError: no text encoder can be read there.
        ConfigError: a dropout that is not a probability.

    Source: SAGA-SR (arXiv 2509.24924) and Stable Audio Open (Evans et al., 2024).
    """

    def __init__(self, path: str, width: int, max_tokens: int = 128, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = probability("text", dropout)
        self.width = width
        self.max_tokens = max_tokens
        # Outside the weights of this model: it is never trained, and a package holds it as a folder of its own.
        self.reader = PretrainedNetwork(CaptionReader(Path(path), max_tokens))
        encoder_width = self.reader.network.width
        self.project = nn.Linear(encoder_width, width) if width != encoder_width else None

    def forward(self, captions: Sequence[str], device: torch.device) -> Tensor:
        """Tokens [b, max_tokens, width] of `captions`."""
        embedded = [self.reader.network(caption).to(device) for caption in captions]
        tokens = torch.stack([pad(tensor.float(), (0, 0, 0, self.max_tokens - len(tensor))) for tensor in embedded])
        if self.project is None:
            return tokens
        length = torch.tensor([len(tensor) for tensor in embedded], device=device)
        filled = torch.arange(self.max_tokens, device=device) < length[:, None]
        return self.project(tokens) * filled[..., None]

    def save_pretrained(self, folder: Path) -> None:
        """Write the encoder so that `TextCondition(folder, ...)` reads it again."""
        self.reader.network.save_pretrained(folder)
