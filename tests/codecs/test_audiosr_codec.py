from __future__ import annotations

from pathlib import Path

import pytest
import torch
from audiosr_checkpoint import write_checkpoint

from saga_sr.codecs.audiosr import AudioSR
from saga_sr.codecs.delay import delay_of
from saga_sr.codecs.griffin_lim import GriffinLim
from saga_sr.core.errors import ConfigError


def test_clips_are_filled_up_with_silence_and_come_back_as_long_as_they_were(tmp_path: Path) -> None:
    codec = AudioSR(str(write_checkpoint(tmp_path / "pytorch_model.bin")), pad_s=0.64)
    torch.manual_seed(0)
    audio = 0.1 * torch.randn(2, 1, 20_000)
    latent = codec.encode(audio)
    assert latent.shape == (2, 512, 8) and codec.decode(latent, 20_000).shape == audio.shape
    filled = torch.nn.functional.pad(audio, (0, 30_720 - 20_000))
    assert torch.allclose(codec.encode(filled), latent, atol=1e-5)
    assert torch.allclose(codec.encode(audio[1:]), latent[1:], atol=1e-5)  # a batch's clips do not know of each other
    codec.stored = torch.float16
    codec.save_pretrained(tmp_path / "codec")
    again = AudioSR(str(tmp_path / "codec"), pad_s=0.64)
    assert again.stored == torch.float16 and torch.allclose(again.encode(audio), latent, atol=0.05 * latent.std())
    with pytest.raises(ConfigError, match=r"set codec\.sample_rate=48000"):
        AudioSR(str(tmp_path / "codec"), sample_rate=44_100)


def test_what_the_vocoder_is_late_by_is_measured_and_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = AudioSR(str(write_checkpoint(tmp_path / "pytorch_model.bin")))
    invert = GriffinLim(codec.mel, iterations=8)
    vocoder = codec.autoencoder.network.vocoder
    monkeypatch.setattr(vocoder, "forward", lambda mel: invert(mel).roll(150, -1))
    assert abs(codec.delay - 150) <= 24

    def decoded(mel: torch.Tensor) -> torch.Tensor:
        monkeypatch.setattr(codec, "_to_mel", lambda raw: mel)
        return codec.decode(torch.zeros(1, 512, 7), 480 * mel.shape[-1])[0]

    assert abs(delay_of(decoded, codec.mel)) <= 24
