from __future__ import annotations

import pytest
import torch

from saga_sr.audio.edges import content_edge_hz
from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import seeded
from saga_sr.degradations.lossy_coding import CODERS, LossyCoding, Setting, coded

RATE = 44_100
SETTINGS = [(name, setting) for name, coder in CODERS.items() for setting in coder.settings]


def noise(*shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("codec", "setting"), SETTINGS, ids=[f"{name}-{s.kbps}" for name, s in SETTINGS])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_coded_sound_is_aligned_and_ends_at_its_edge(codec: str, setting: Setting, rate: int) -> None:
    audio = noise(1, 2 * rate)
    decoded = coded(audio, CODERS[codec], setting, rate)
    assert decoded.shape == audio.shape
    spectra = torch.fft.rfft(torch.cat([audio, decoded]), 4 * rate)
    lags = torch.fft.irfft(spectra[1] * spectra[0].conj())
    # Opus codes speech through filters whose delay differs by a sample between bass and edge.
    near = 1 if setting.options.get("application") == "voip" else 0
    assert int(lags.roll(near).argmax()) in range(2 * near + 1)
    assert content_edge_hz(decoded, rate) == pytest.approx(setting.edge_hz, rel=0.05)


@pytest.mark.parametrize("codec", CODERS)
def test_each_clip_has_a_setting_of_its_own_by_its_seed(codec: str) -> None:
    degradation = LossyCoding(codec, RATE)
    hr = noise(1, 1, RATE).expand(6, -1, -1)
    together = degradation(hr, seeded(range(6)))
    assert len(together.cutoff_hz.unique()) > 1
    for seed in (5, 2):
        alone = degradation(hr[:1], seeded([seed]))
        assert torch.allclose(alone.lr[0], together.lr[seed], atol=1e-6)
        assert torch.equal(alone.cutoff_hz[0], together.cutoff_hz[seed])


def test_channels_are_coded_apart() -> None:
    audio = torch.stack([noise(RATE), torch.zeros(RATE)])
    decoded = coded(audio, CODERS["mp3"], CODERS["mp3"].settings[-1], RATE)
    assert float(decoded[1].abs().max()) < 1e-6 < float(decoded[0].abs().max())


@pytest.mark.parametrize("codec", CODERS)
@pytest.mark.parametrize("length", [1, 4096])
def test_short_clips_keep_their_length(codec: str, length: int) -> None:
    lr = LossyCoding(codec, RATE)(noise(1, 1, length), seeded([0])).lr
    assert lr.shape == (1, 1, length) and bool(lr.isfinite().all())


def test_another_codec_is_refused() -> None:
    with pytest.raises(ConfigError, match="vqf"):
        LossyCoding("vqf", RATE)
