"""The spectral roll-off as condition."""

from __future__ import annotations

import torch
from torch import Tensor

from saga_sr.audio.spectrum import SPECTRA, rolloffs_hz
from saga_sr.conditioning.condition import TrainingPairs, probability
from saga_sr.conditioning.numbers import NumbersCondition
from saga_sr.conditioning.types import ConditionRequest
from saga_sr.core.errors import ConfigError

# Full band is the roll-off that this share of the training clips lies below.
FULL_BAND_QUANTILE = 0.95


class RolloffCondition(NumbersCondition):
    """The spectral roll-off of the input and of the target: how bright the one is, and the other has to be.

    Args:
        width: of an embedding.
        dropout: share of training examples that get its null value.
        spectrum: `magnitude` (the official code) or `power` (the paper's text).
        dropped_with_text: the roll-off's tokens are dropped whenever the text is, and its place beside the time never,
            as in the official code; else it is dropped on its own, in both ways.
        attended: both are tokens of cross-attention too, as in SAGA-SR.

    Attributes:
        full_band: buffer [], the roll-off that training knew as full band: `rolloff=1.0` asks for it.

    Raises:
        ConfigError: an unknown spectrum, or a dropout that is not a probability.

    Source: SAGA-SR (arXiv 2509.24924), section on acoustic conditions, and its code.
    """

    reads = frozenset({"rolloff"})
    measures = True
    numbers = ("input", "target")
    full_band: Tensor

    def __init__(
        self,
        width: int,
        dropout: float = 0.1,
        spectrum: str = "magnitude",
        dropped_with_text: bool = False,
        attended: bool = True,
    ) -> None:
        if spectrum not in SPECTRA:
            raise ConfigError(
                f"conditioning.rolloff.spectrum={spectrum!r} is not known; choose {' or '.join(SPECTRA)}."
            )
        super().__init__(width, attended)
        self.dropout = None if dropped_with_text else probability("rolloff", dropout)
        self.dropped_with = "text" if dropped_with_text else None
        self.spectrum = SPECTRA.index(spectrum)
        self.meaning = (
            f"spectral roll-off ({spectrum}) of the input, and the one wished for, as shares of Nyquist; the weights' "
            "full_band asks for full band"
        )
        self.register_buffer("full_band", torch.ones(()))

    @staticmethod
    def measure(audio: Tensor, sample_rate: int, cutoff_hz: Tensor) -> Tensor:
        """Roll-offs [b, spectrum] as shares of Nyquist, by each of `SPECTRA`."""
        return (rolloffs_hz(audio, sample_rate) / (sample_rate / 2)).float()

    @staticmethod
    def summarise(measured: Tensor) -> Tensor:
        """Full band [spectrum] of roll-offs [clip, spectrum]."""
        return torch.stack([rolloffs.quantile(FULL_BAND_QUANTILE) for rolloffs in measured.T])

    def set_summary(self, summary: Tensor) -> None:
        self.full_band.copy_(summary[self.spectrum])

    def from_training(self, pairs: TrainingPairs) -> Tensor:
        """Roll-offs [b, 2] of input and target."""
        return torch.stack([pairs.lr[:, self.spectrum], pairs.hr[:, self.spectrum]], dim=1)

    def from_request(self, request: ConditionRequest) -> Tensor:
        """Roll-offs [b, 2]: the input's, measured, and as much of full band as is asked for."""
        audio = request.audio
        target = torch.as_tensor(request.rolloff, dtype=torch.float32, device=audio.device).expand(len(audio))
        if not ((target > 0) & (target <= 1)).all():
            raise ConfigError(f"rolloff={request.rolloff} must lie above 0 and at most at 1, which is full band.")
        own = self.measure(audio, request.sample_rate, request.cutoff_hz)[:, self.spectrum]
        return torch.stack([own, target * self.full_band.to(audio.device)], dim=1)
