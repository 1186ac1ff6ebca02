from __future__ import annotations

import itertools

import pytest
import torch

from saga_sr.audio.alignment import measure_delay
from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.synthesis.dataset import SyntheticAudio

RATE, LENGTH = 44_100, 2 * 44_100
CLIPS = [SyntheticAudio(4, LENGTH, RATE)[i]["hr"][0] for i in range(4)]


def delayed(audio: torch.Tensor, samples: int) -> torch.Tensor:
    shifted = torch.zeros_like(audio)
    shifted[max(samples, 0) : len(audio) + min(samples, 0)] = audio[max(-samples, 0) : len(audio) - max(samples, 0)]
    return shifted


@pytest.mark.parametrize(("samples", "cutoff_hz"), [(0, 1000.0), (1, 16_000.0), (-1105, 4000.0), (12_000, 2000.0)])
def test_the_delay_of_low_passed_and_noisy_sound_is_found_to_the_sample(samples: int, cutoff_hz: float) -> None:
    generator = torch.Generator().manual_seed(0)
    for clip in CLIPS:
        low = degrade(clip[None, None], [LowPassFilter("chebyshev1", 8, cutoff_hz)], RATE)[0, 0]
        low = low + 0.1 * low.std() * torch.randn(LENGTH, generator=generator)
        found = measure_delay(delayed(0.3 * low, samples), clip, RATE, 20_000)
        assert abs(found.samples - samples) <= 1 and found.correlation > 0.7


def test_sounds_of_other_recordings_and_silence_do_not_correlate() -> None:
    for late, reference in itertools.pairwise(CLIPS):
        assert measure_delay(late, reference, RATE, 20_000).correlation < 0.2
    assert measure_delay(torch.zeros(LENGTH), CLIPS[0], RATE, 100).correlation == 0
