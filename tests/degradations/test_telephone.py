from __future__ import annotations

import av
import numpy as np
import pytest
import torch

from saga_sr.audio.alignment import measure_delay
from saga_sr.audio.edges import content_edge_hz
from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import seeded
from saga_sr.degradations.telephone import BANDS, Telephone, band_passed, companded

RATE = 44_100


def noise(*shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("seed", range(4))
def test_calls_are_aligned_and_end_at_their_edge(band: str, seed: int) -> None:
    audio = noise(1, 2 * RATE)
    call, edge_hz = Telephone(band, RATE).degrade_clip(audio, np.random.default_rng(seed))
    assert call.shape == audio.shape
    assert measure_delay(call[0], band_passed(audio, *BANDS[band][:2], RATE)[0], RATE, 4096).samples == 0
    assert content_edge_hz(call, RATE) == pytest.approx(edge_hz, rel=0.04)


@pytest.mark.parametrize(("law", "codec"), [("a", "pcm_alaw"), ("mu", "pcm_mulaw")])
def test_companding_is_that_of_g711(law: str, codec: str) -> None:
    samples = np.arange(-32_000, 32_000, 7, dtype=np.int16)
    encoder = av.AudioCodecContext.create(codec, "w")
    encoder.sample_rate, encoder.layout, encoder.format = 8000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate = 8000
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    decoder = av.AudioCodecContext.create(codec, "r")
    decoder.sample_rate, decoder.layout = 8000, "mono"
    expected = np.concatenate([f.to_ndarray().ravel() for packet in packets for f in decoder.decode(packet)])
    ours = companded(torch.from_numpy(samples).float() / 2**15, law).numpy() * 2**15
    # Where a sample lies half-way between two levels, either will do.
    assert {*ours.tolist()} <= {*expected.astype(float).tolist()} | {0.0}
    assert np.mean(ours != expected) < 0.02
    near = np.abs(ours - samples) <= np.abs(expected - samples)
    assert near.all()


def test_a_gain_before_a_call_is_a_gain_after_it() -> None:
    audio = noise(1, 1, RATE)
    loud, quiet = (Telephone("narrow", RATE)(gain * audio, seeded([3])).lr for gain in (1.0, 0.01))
    assert torch.allclose(0.01 * loud, quiet, atol=1e-3 * float(quiet.abs().max()))


def test_another_band_is_refused() -> None:
    with pytest.raises(ConfigError, match="super"):
        Telephone("super", RATE)
