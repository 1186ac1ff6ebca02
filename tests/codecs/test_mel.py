from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torchaudio
from mel_networks import make_vocoder

from saga_sr.codecs.griffin_lim import GriffinLim, griffin_lim, linear_magnitudes
from saga_sr.codecs.mel import Mel
from saga_sr.codecs.mel_spectrogram import MelSettings, MelSpectrogram
from saga_sr.codecs.vocoder import Vocoder
from saga_sr.core.errors import AudioError, ConfigError


def sound(length: int, items: int = 1) -> torch.Tensor:
    """Two tones whose loudness changes."""
    time = torch.arange(length) / 44_100
    tones = torch.sin(2 * torch.pi * 440 * time) + 0.5 * torch.sin(2 * torch.pi * 3100 * time)
    return (0.1 * tones * (1.2 + torch.sin(2 * torch.pi * 7 * time))).expand(items, 1, -1)


@pytest.mark.parametrize("sample_rate", [44_100, 48_000])
def test_griffin_lim_brings_the_spectrogram_back_in_time(sample_rate: int) -> None:
    codec, audio = Mel(sample_rate=sample_rate), sound(40_000)
    assert (codec.hop_length, codec.channels, codec.inverters, codec.inverter) == (512, 1, ("griffin_lim",),
                                                                                  "griffin_lim")  # fmt: skip
    latent = codec.encode(audio)
    output = codec.decode(latent, 40_000)
    assert latent.shape == (1, 128, 79) and output.shape == audio.shape
    # A spectrogram that is a frame late is further from the first than by this.
    error = (codec.analyse(output) - codec.analyse(audio))[..., 4:-4].abs().mean()
    late = (codec.analyse(output.roll(512, -1)) - codec.analyse(audio))[..., 4:-4].abs().mean()
    assert error < 0.25 and error < 0.7 * late


def test_griffin_lim_is_as_good_as_torchaudios() -> None:
    mel = MelSpectrogram(MelSettings(44_100, 2048, 512, 128))
    log_mel = mel(sound(30_000)[:, 0])
    magnitudes = linear_magnitudes(log_mel, mel)
    assert magnitudes.min() >= 0
    assert (mel.filters @ magnitudes - mel.magnitudes(log_mel)).abs().mean() < 0.02 * mel.magnitudes(log_mel).mean()
    ours = griffin_lim(magnitudes, mel.stft, 16)
    theirs = torchaudio.functional.griffinlim(
        magnitudes, mel.stft.window, 2048, 512, 2048, power=1.0, n_iter=16, momentum=0.99, length=None, rand_init=True
    )
    far, as_far = ((mel.stft(audio).abs() - magnitudes).norm() / magnitudes.norm() for audio in (ours, theirs))
    assert ours.shape == theirs.shape and far < 1.1 * as_far
    assert torch.equal(griffin_lim(magnitudes, mel.stft, 16), ours)


@pytest.mark.parametrize("layout", ["hifigan", "bigvgan", "vocos"])
def test_a_vocoders_spectrogram_is_the_latent(layout: str, tmp_path: Path) -> None:
    network = make_vocoder(tmp_path / "vocoder", layout)
    codec = Mel(str(tmp_path / "vocoder"), latent_dim=20)
    assert (codec.hop_length, codec.inverters, codec.inverter) == (256, ("vocoder", "griffin_lim"), "vocoder")
    audio = sound(6000, 2)
    raw = codec.analyse(audio)
    assert raw.shape == (2, 20, 24)
    with torch.no_grad():
        theirs = network.eval()(raw)
    output, late = codec.synthesise(raw, 6000), codec.delays["vocoder"]
    inner = slice(2100, 3900)
    assert output.shape == audio.shape
    assert torch.allclose(output[:, 0, inner], theirs[:, inner.start + late : inner.stop + late], atol=1e-4)
    codec.inverter = "griffin_lim"
    assert not torch.allclose(codec.synthesise(raw, 6000), output, atol=1e-3)
    codec.save_pretrained(tmp_path / "again")
    again = Mel(str(tmp_path / "again"), latent_dim=20)
    assert torch.equal(again.synthesise(raw, 6000), output)


def test_neither_autocast_nor_a_change_of_dtype_reaches_it() -> None:
    codec, audio = Mel(latent_dim=20), sound(5000)
    raw = codec.analyse(audio)
    output = codec.synthesise(raw, 5000)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(codec.analyse(audio), raw) and torch.equal(codec.synthesise(raw, 5000), output)
    codec.to(torch.bfloat16)
    assert torch.equal(codec.analyse(audio), raw) and set(codec.state_dict()) == {"latent_mean", "latent_scale"}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sample_rate": 48_000}, "codec.sample_rate=48000 differs from the 44100 of the network"),
        ({"latent_dim": 80}, "codec.latent_dim=80 differs from the 20 of the network"),
        ({"inverter": "magic"}, "codec.inverter=magic is not there; choose one of vocoder, griffin_lim"),
        ({"path": None, "inverter": "vocoder"}, "codec.inverter=vocoder is not there; choose one of griffin_lim, or"),
        ({"path": None, "hop_length": 2048}, "A hop of 2048.* not possible"),
        ({"path": None, "hop_length": 441}, "codec.hop_length=441 .*even hop"),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    make_vocoder(tmp_path, "hifigan")
    with pytest.raises(ConfigError, match=sentence):
        Mel(**{"path": str(tmp_path), "latent_dim": 20, **settings})


def test_clips_shorter_than_a_frame_are_refused() -> None:
    with pytest.raises(AudioError, match=r"2047 samples is shorter than one frame of this codec, 2048 samples"):
        Mel().encode(sound(2047))


class Late(torch.nn.Module):
    """A vocoder that makes the sound come so many samples later."""

    def __init__(self, settings: MelSettings, late: int) -> None:
        super().__init__()
        self.invert, self.late = GriffinLim(MelSpectrogram(settings), 12), late

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        return self.invert(log_mel).roll(self.late, -1)


@pytest.mark.parametrize("late", [300, -300])
def test_what_a_vocoder_is_late_by_is_undone(late: int, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = MelSettings(44_100, 2048, 512, 20, padding="same")
    made = Vocoder(Late(settings, late), settings, {}, Path("anywhere"))
    monkeypatch.setattr("saga_sr.codecs.mel.load_vocoder", lambda path: made)
    codec, audio = Mel("anywhere", latent_dim=20), sound(20_000)
    found = codec.synthesise(codec.analyse(audio), 20_000)
    assert abs(codec.delays["vocoder"] - late) <= 12
    made.network.late = 0
    codec.delays["vocoder"] -= late
    in_time = codec.synthesise(codec.analyse(audio), 20_000)
    assert torch.allclose(found, in_time, atol=1e-5) and found.abs().max() > 0.01
