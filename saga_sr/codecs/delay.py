"""By how much a network that was trained elsewhere is late, measured by what it makes of a known sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from saga_sr.codecs.mel_spectrogram import MelSpectrogram

# Half a second of bursts, and how finely they are looked at.
BURSTS, PROBE_S, STEPS_PER_HOP = 12, 0.5, 40
# A network that answers with less likeness than this has not understood the question.
LEAST_LIKENESS = 0.5


@torch.no_grad()
def delay_of(invert: Callable[[Tensor], Tensor], mel: MelSpectrogram) -> int:
    """Samples by which the audio [b, time] that `invert` makes of a log-mel spectrogram [b, n_mels, frame] is late.

    Bursts of noise go in, and what comes out is looked at with a short hop: it is late by as much as it has to be
    moved for its bands to rise and fall as those of the bursts do. Where they never do, as with weights that nobody
    trained, half of what is too long is taken to stand at the beginning.
    """
    settings = mel.settings
    audio = probe(settings.sample_rate, max(round(PROBE_S * settings.sample_rate), 4 * settings.n_fft)).to(mel.filters)
    log_mel = mel(audio)
    answer = invert(log_mel).float()
    expected = mel.stft.length_of(log_mel.shape[-1])
    step = max(1, settings.hop_length // STEPS_PER_HOP)
    finely = MelSpectrogram(replace(settings, hop_length=step, padding="center")).to(mel.filters.device)
    before, after = (finely(x[:, : min(audio.shape[-1], answer.shape[-1])])[0] for x in (audio, answer))
    lag, likeness = best_lag(before, after, 2 * settings.hop_length // step)
    return lag * step if likeness >= LEAST_LIKENESS else (answer.shape[-1] - expected) // 2


@torch.no_grad()
def frames_late(through: Callable[[Tensor], Tensor], log_mel: Tensor, reach: int) -> int:
    """Frames, up to `reach`, by which an autoencoder gives a spectrogram [1, n_mels, frame] of bursts back too late.

    0 where what comes out is nothing like what went in.
    """
    lag, likeness = best_lag(log_mel[0], through(log_mel).float()[0], reach)
    return lag if likeness >= LEAST_LIKENESS else 0


def best_lag(before: Tensor, after: Tensor, reach: int) -> tuple[int, float]:
    """By how many frames `after` [channel, frame] is later than `before`, up to `reach`, and their correlation then."""
    kept = before.shape[-1] - 2 * reach
    still = before[:, reach : reach + kept]
    found = [likeness(still, after[:, reach + lag : reach + lag + kept]) for lag in range(-reach, reach + 1)]
    best = int(torch.tensor(found).argmax())
    return best - reach, found[best]


def likeness(a: Tensor, b: Tensor) -> float:
    """Correlation in (-1, 1) of what the channels [channel, frame] of both do around their means."""
    a, b = a - a.mean(dim=1, keepdim=True), b - b.mean(dim=1, keepdim=True)
    return float((a * b).sum() / (a.norm() * b.norm()).clamp(min=1e-12))


def probe(sample_rate: int, length: int) -> Tensor:
    """Bursts of noise [1, length] of some milliseconds, unevenly apart, over a faint one."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(length, generator=generator)
    envelope = torch.full((length,), 1e-3)
    width = round(0.008 * sample_rate)
    for start in torch.linspace(0, length - 2 * width, BURSTS) + torch.rand(BURSTS, generator=generator) * width:
        envelope[int(start) : int(start) + width] = 0.1
    return (noise * envelope)[None]
