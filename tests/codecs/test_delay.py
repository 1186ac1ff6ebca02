from __future__ import annotations

import pytest
import torch

from saga_sr.codecs.delay import delay_of
from saga_sr.codecs.griffin_lim import GriffinLim
from saga_sr.codecs.mel_spectrogram import MelSettings, MelSpectrogram
from saga_sr.codecs.stft import Padding


@pytest.mark.parametrize("padding", ["center", "same"])
@pytest.mark.parametrize("late", [0, 80, -57, 16])
def test_what_is_late_by_so_much_is_found_to_be(late: int, padding: Padding) -> None:
    """A known delay behind a stage that has none: Griffin-Lim, whose phases are made up."""
    mel = MelSpectrogram(MelSettings(16_000, 1024, 160, 64, padding=padding))
    invert = GriffinLim(mel, iterations=12)
    assert abs(delay_of(lambda log_mel: invert(log_mel).roll(late, -1), mel) - late) <= 8


def test_of_what_is_not_understood_only_the_length_is_known() -> None:
    mel = MelSpectrogram(MelSettings(16_000, 1024, 160, 64))

    def untrained(log_mel: torch.Tensor) -> torch.Tensor:
        length = 160 * (log_mel.shape[-1] - 1) + 32
        return torch.randn(1, length, generator=torch.Generator().manual_seed(0))

    assert delay_of(untrained, mel) == 16
