"""Mel spectrograms against librosa and torchaudio, with the settings of the networks that read them."""

from __future__ import annotations

from dataclasses import replace

import librosa
import numpy as np
import pytest
import torch
import torchaudio

from saga_sr.codecs.mel_spectrogram import MelSettings, MelSpectrogram, mel_filters, to_hz, to_mel
from saga_sr.core.errors import ConfigError

AUDIOLDM2 = MelSettings(16_000, 1024, 160, 64, 0, 8000)
AUDIOSR = MelSettings(48_000, 2048, 480, 256, 20, 24_000, padding="same", epsilon=1e-9)
VOCOS = MelSettings(24_000, 1024, 256, 100, scale="htk", floor=1e-7)
SHORT_WINDOW = MelSettings(22_050, 1024, 256, 80, 0, 8000, win_length=800)


def sound(rate: int) -> torch.Tensor:
    """A rising tone in some noise, half a second with silence at its end."""
    time = torch.arange(rate // 2) / rate
    tone = 0.3 * torch.sin(2 * torch.pi * (200 * time + 0.3 * rate * time.square()))
    audio = tone + 0.01 * torch.randn(len(time), generator=torch.Generator().manual_seed(0))
    audio[-rate // 10 :] = 0
    return audio


@pytest.mark.parametrize("settings", [AUDIOLDM2, AUDIOSR, SHORT_WINDOW])
def test_it_is_librosas(settings: MelSettings) -> None:
    audio = sound(settings.sample_rate)
    same = settings.padding == "same"
    reach = (settings.n_fft - settings.hop_length) // 2
    theirs = librosa.feature.melspectrogram(
        y=np.pad(audio.numpy(), reach, mode="reflect") if same else audio.numpy(),
        sr=settings.sample_rate,
        n_fft=settings.n_fft,
        hop_length=settings.hop_length,
        win_length=settings.win_length,
        center=not same,
        pad_mode="reflect",
        power=1,
        n_mels=settings.n_mels,
        fmin=settings.fmin,
        fmax=settings.fmax,
    )
    ours = MelSpectrogram(settings)(audio[None])[0]
    assert ours.min() == pytest.approx(np.log(1e-5), abs=0.01) or same
    assert torch.allclose(ours, torch.from_numpy(theirs).clamp(min=1e-5).log(), atol=0.02 if same else 1e-3)


def test_with_the_other_scale_it_is_torchaudios() -> None:
    theirs = torchaudio.transforms.MelSpectrogram(24_000, 1024, hop_length=256, n_mels=100, power=1)
    audio = sound(24_000)[None]
    assert torch.allclose(MelSpectrogram(VOCOS)(audio), theirs(audio).clamp(min=1e-7).log(), atol=1e-3)


def test_scales_have_no_step_and_turn_back() -> None:
    hz = torch.linspace(0, 24_000, 2000, dtype=torch.float64)
    assert np.allclose(to_mel(hz, "slaney"), librosa.hz_to_mel(hz.numpy()))
    assert np.allclose(to_mel(hz, "htk"), librosa.hz_to_mel(hz.numpy(), htk=True))
    for scale in ("slaney", "htk"):
        assert torch.allclose(to_hz(to_mel(hz, scale), scale), hz)


def test_the_logarithm_is_undone() -> None:
    audio = sound(16_000)[None]
    natural, ten = MelSpectrogram(AUDIOLDM2), MelSpectrogram(replace(AUDIOLDM2, log="log10"))
    assert torch.allclose(natural(audio), ten(audio) * np.log(10), atol=1e-4)
    assert torch.allclose(natural.magnitudes(natural(audio)), ten.magnitudes(ten(audio)), rtol=1e-3)


@pytest.mark.parametrize("changes", [{"fmax": 9000}, {"fmin": 8000}, {"fmin": -1}, {"n_mels": 0}])
def test_bands_that_the_rate_does_not_have(changes: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="not possible at 16000 Hz; choose at least one band"):
        mel_filters(replace(AUDIOLDM2, **changes))
