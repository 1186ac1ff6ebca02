"""Text as condition: what a recording contains, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from saga_sr.conditioning.condition import Condition, Dims, Embedding, TrainingPairs, probability
from saga_sr.conditioning.t5 import CaptionReader
from saga_sr.conditioning.types import ConditionRequest, Port
from saga_sr.core.errors import WeightsError
from saga_sr.core.pretrained import PretrainedNetwork

# Of T5-base's embeddings, which Stable Audio and SAGA-SR read captions with.
T5_BASE_WIDTH = 768


class TextCondition(Condition):
    """Captions as tokens, by a frozen T5 encoder that runs once for each caption.

    Shorter captions are filled up with zeros, which are attended to, as in Stable Audio; no caption at all is the null
    condition, nothing but zeros. Its value is the captions, or the tokens that became of them.

    Args:
        path: folder with a T5 model and its tokenizer, as `save_pretrained` writes them. Where None, there is no
            encoder, and nothing but shapes: those of T5-base.
        width: of a token; another than the encoder's adds a linear map that is trained.
        max_tokens: longer captions are cut.
        dropout: share of training examples that get no caption.

    Raises:
        WeightsError: no text encoder can be read there.
        ConfigError: a dropout that is not a probability.

    Source: SAGA-SR (arXiv 2509.24924) and Stable Audio Open (Evans et al., 2024).
    """

    reads = frozenset({"text"})

    def __init__(self, path: str | None, width: int, max_tokens: int = 128, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = probability("text", dropout)
        self.dims = self.dims_of({"width": width})
        self.width = width
        self.max_tokens = max_tokens
        # Outside the weights of this model: it is never trained, and a package holds it as a folder of its own.
        self.reader = None if path is None else PretrainedNetwork(CaptionReader(Path(path), max_tokens))
        encoder_width = T5_BASE_WIDTH if self.reader is None else self.reader.network.width
        self.project = nn.Linear(encoder_width, width) if width != encoder_width else None

    @classmethod
    def dims_of(cls, settings: Mapping[str, Any]) -> Dims:
        return Dims(tokens=settings["width"])

    def from_training(self, pairs: TrainingPairs) -> Sequence[str]:
        return pairs.captions

    def from_request(self, request: ConditionRequest) -> Sequence[str]:
        return request.prompts

    @property
    def port(self) -> Port:
        mapped = ", mapped by the weights' project" if self.project is not None else ""
        return Port(
            ("batch", self.max_tokens, self.width),
            f"T5's tokens of the prompt{mapped}, with zeros where there are fewer; zeros alone for no prompt",
        )

    def forward(self, value: Sequence[str] | Tensor) -> Embedding:
        """Tokens [b, max_tokens, width] of captions.

        Raises:
            WeightsError: there are captions, and no encoder.
        """
        if isinstance(value, Tensor):
            return Embedding(value)
        if self.reader is None:
            return Embedding(self._unread(value))
        network = self.reader.network
        device = next(network.parameters()).device
        embedded = [network(caption).to(device) for caption in value]
        tokens = torch.stack([pad(tensor.float(), (0, 0, 0, self.max_tokens - len(tensor))) for tensor in embedded])
        if self.project is None:
            return Embedding(tokens)
        length = torch.tensor([len(tensor) for tensor in embedded], device=device)
        filled = torch.arange(self.max_tokens, device=device) < length[:, None]
        return Embedding(self.project(tokens) * filled[..., None])

    def _unread(self, captions: Sequence[str]) -> Tensor:
        if any(caption.strip() for caption in captions):
            raise WeightsError("There is no text encoder to read captions with; give its folder (text_encoder=DIR).")
        device = next(chain(self.parameters(), [torch.empty(0)])).device
        return torch.zeros(len(captions), self.max_tokens, self.width, device=device)

    def save_pretrained(self, folder: Path) -> None:
        """Write the encoder so that `TextCondition(folder, ...)` reads it again."""
        assert self.reader is not None  # without a path, there is nothing that a package would ask for
        self.reader.network.save_pretrained(folder)
