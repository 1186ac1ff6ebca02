"""Numbers as conditions: the length of a clip, and its spectral roll-off."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from saga_sr.audio.spectrum import SPECTRA, rolloff_hz
from saga_sr.conditioning.dropout import probability
from saga_sr.core.errors import ConfigError

# Full band is the roll-off that this share of the training clips lies below.
FULL_BAND_QUANTILE = 0.95


def full_band(rolloffs: Tensor) -> Tensor:
    """What full band means to a model whose wide-band training clips have the `rolloffs` [clip]."""
    return rolloffs.quantile(FULL_BAND_QUANTILE)


class NumberEmbedding(nn.Module):
    """A number in [0, 1] as a vector, [b] -> [b, width]: itself and Fourier features at learned frequencies, mapped.

    Source: Stable Audio Open (Evans et al., 2024), the embedding of its timings.
    """

    def __init__(self, width: int, features: int = 256) -> None:
        super().__init__()
        self.frequency = nn.Parameter(torch.randn(features // 2))
        self.project = nn.Linear(features + 1, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x.float().clamp(0, 1)[:, None]
        angle = 2 * math.pi * x * self.frequency
        return self.project(torch.cat([x, angle.sin(), angle.cos()], dim=-1))


class DurationCondition(nn.Module):
    """Where a clip begins and how long it is, as Stable Audio's `seconds_start` and `seconds_total`.

    A crop is a clip of its own that begins at 0. All crops of a training have one length, so that is what the model
    is told of any chunk of a recording later: it has learned no other number.

    Args:
        width: of an embedding.
        num_samples, sample_rate: length of training's crops, in samples at so many Hz.
        max_seconds: what the embedding's range ends at.
    """

    def __init__(self, width: int, num_samples: int, sample_rate: int, max_seconds: float = 512.0) -> None:
        super().__init__()
        self.width = width
        self.total_s = num_samples / sample_rate
        self.max_seconds = max_seconds
        self.start = NumberEmbedding(width)
        self.total = NumberEmbedding(width)

    def forward(self, batch: int) -> Tensor:
        """Embeddings [b, 2, width] of a batch of clips."""
        zero = self.start.frequency.new_zeros(batch)
        return torch.stack([self.start(zero), self.total(zero + self.total_s / self.max_seconds)], dim=1)


class RolloffCondition(nn.Module):
    """The spectral roll-off of the input and of the target: how bright the one is, and the other has to be.

    Args:
        width: of an embedding.
        dropout: share of training examples that are not told.
        spectrum: `magnitude` (the official code) or `power` (the paper's text).
        dropped_with_text: the roll-off's tokens are dropped whenever the text is, and its place beside the time never,
            as in the official code; else it is dropped on its own, in both ways.

    Attributes:
        full_band: buffer [], the roll-off that training knew as full band: `rolloff=1.0` asks for it.

    Raises:
        ConfigError: an unknown spectrum, or a dropout that is not a probability.

    Source: SAGA-SR (arXiv 2509.24924), section on acoustic conditions, and its code.
    """

    full_band: Tensor

    def __init__(
        self, width: int, dropout: float = 0.1, spectrum: str = "magnitude", dropped_with_text: bool = False
    ) -> None:
        super().__init__()
        if spectrum not in SPECTRA:
            raise ConfigError(
                f"conditioning.rolloff.spectrum={spectrum!r} is not known; choose {' or '.join(SPECTRA)}."
            )
        self.width = width
        self.dropout = 0.0 if dropped_with_text else probability("rolloff", dropout)
        self.spectrum = spectrum
        self.dropped_with_text = dropped_with_text
        self.input = NumberEmbedding(width)
        self.target = NumberEmbedding(width)
        self.register_buffer("full_band", torch.ones(()))

    def measure(self, audio: Tensor, sample_rate: int) -> Tensor:
        """Roll-off [b] of `audio` [b, c, time] as a share of Nyquist."""
        return (rolloff_hz(audio, sample_rate, spectrum=self.spectrum) / (sample_rate / 2)).float()

    def forward(self, rolloff: Tensor) -> Tensor:
        """Embeddings [b, 2, width] of the roll-offs [b, 2] of input and target."""
        rolloff = rolloff.to(self.full_band.device)
        return torch.stack([self.input(rolloff[:, 0]), self.target(rolloff[:, 1])], dim=1)
