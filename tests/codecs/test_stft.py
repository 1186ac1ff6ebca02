from __future__ import annotations

import pytest
import torch

from saga_sr.codecs.stft import STFT, Padding
from saga_sr.core.errors import AudioError, ConfigError


def noise(*shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("win_length", [None, 200])
@pytest.mark.parametrize("padding", ["center", "same"])
def test_audio_comes_back(padding: Padding, win_length: int | None) -> None:
    stft, audio = STFT(256, 64, win_length, padding), noise(2, 640)
    spectra = stft(audio)
    assert spectra.shape == (2, 129, 11 if padding == "center" else 10)
    assert torch.allclose(stft.inverse(spectra), audio, atol=1e-6)


def test_centred_spectra_are_pytorchs() -> None:
    audio = noise(2, 1000)
    for length in (256, 150):
        window = torch.hann_window(length)
        theirs = torch.stft(audio, 256, 60, length, window, center=True, return_complex=True)
        assert torch.allclose(STFT(256, 60, length)(audio), theirs, atol=1e-5)


@pytest.mark.parametrize(("padding", "place"), [("center", 5 * 64), ("same", 5 * 64 + 32)])
def test_frames_stand_where_the_padding_says(padding: Padding, place: int) -> None:
    click = torch.zeros(1, 640)
    click[0, place] = 1
    assert STFT(256, 64, None, padding)(click).abs()[0].sum(0).argmax() == 5


def test_what_is_too_short_or_impossible() -> None:
    with pytest.raises(AudioError, match="A clip of 255 samples is shorter than one frame of this codec, 256 samples"):
        STFT(256, 64)(noise(1, 255))
    for sizes in ((256, 256, None), (256, 64, 300), (256, 0, None)):
        with pytest.raises(ConfigError, match="not possible; the hop must be shorter than the window"):
            STFT(*sizes)
