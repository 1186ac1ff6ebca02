"""A recording whose band changes in time, or from channel to channel, is restored where something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import awake, model_config
from hypothesis import given
from hypothesis import strategies as st

from saga_sr.audio.degradation import LowPassFilter, degrade, zero_phase_lowpass
from saga_sr.audio.edges import Edge, find_edges
from saga_sr.audio.low_band import replace_low_band
from saga_sr.core.errors import ConfigError
from saga_sr.files.reading import read_audio
from saga_sr.files.writing import write_audio
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.sections import plan_sections, settled
from saga_sr.packages.package import build

RATE = 44_100
NYQUIST = RATE / 2


@pytest.fixture(scope="module")
def enhancer() -> Enhancer:
    torch.manual_seed(0)
    return Enhancer(awake(build(model_config("codec.latent_dim=128"))))


def noise(seconds: float, cutoff_hz: float | None, seed: int = 0) -> torch.Tensor:
    """[1, time] that ends at a cutoff."""
    audio = 0.1 * torch.randn(1, 1, int(seconds * RATE), generator=torch.Generator().manual_seed(seed))
    return (audio if cutoff_hz is None else degrade(audio, [LowPassFilter("chebyshev1", 10, cutoff_hz)], RATE))[0]


def windowed(audio: torch.Tensor) -> torch.Tensor:
    return torch.fft.rfft(audio * torch.hann_window(audio.shape[-1]))


def zero_phase_slope(audio: torch.Tensor, corner_hz: float) -> torch.Tensor:
    """A fall of 24 dB/octave above the corner."""
    return zero_phase_lowpass(audio, [LowPassFilter("butterworth", 2, corner_hz)], RATE)


def level_db(audio: torch.Tensor, low_hz: float) -> float:
    """Level above a frequency."""
    spectrum = windowed(audio)[..., int(low_hz / RATE * audio.shape[-1]) :]
    return float(10 * torch.log10(spectrum.abs().square().mean() + 1e-20))


def test_a_guest_on_the_telephone_beside_a_host(enhancer: Enhancer, tmp_path: Path) -> None:
    """The wide-band stretch is the input's own, the narrow one is filled; by file and by array."""
    audio = torch.cat([noise(5, 4000), noise(5, None, 1), noise(5, 8000, 2)], dim=1)
    output = enhancer(audio, RATE)[0]
    change = int(0.9 * RATE)
    assert torch.equal(
        output[:, 5 * RATE + change : 10 * RATE - change], audio[:, 5 * RATE + change : 10 * RATE - change]
    )
    first, last = slice(0, 5 * RATE - change), slice(10 * RATE + change, None)
    assert level_db(output[:, first], 5000) > level_db(audio[:, first], 5000) + 40
    assert level_db(output[:, last], 9500) > level_db(audio[:, last], 9500) + 40
    added = windowed(output[:, last] - audio[:, last])[:, : int(6400 / RATE * audio[:, last].shape[1])]
    assert added.norm() < 1e-4 * windowed(audio[:, last]).norm()  # at or below 0.8 x the edge
    write_audio(tmp_path / "in.wav", audio, RATE)
    done = enhancer.file(tmp_path / "in.wav", tmp_path / "out.wav")
    assert [round(edge.hz, -3) for edge in done.edges[0]] == [4000, 22000, 8000]
    assert float((read_audio(tmp_path / "out.wav")[0] - output).abs().max()) < 2e-3


def test_the_passage_is_restored_as_it_would_be_alone(enhancer: Enhancer) -> None:
    """What lies before the change of edge does not know of what comes after it."""
    dull, wide = noise(6, 4000), noise(4, None, 1)
    whole = enhancer(torch.cat([dull, wide], dim=1), RATE)[0][:, : 4 * RATE]
    alone = enhancer(dull, RATE)[0][:, : 4 * RATE]
    assert abs(level_db(whole, 5000) - level_db(alone, 5000)) < 1


def test_each_channel_has_its_own_edge(enhancer: Enhancer) -> None:
    audio = torch.cat([noise(3, 4000), noise(3, None, 1), noise(3, 8000, 2)])
    output = enhancer(audio, RATE)[0]
    assert torch.equal(output[1], audio[1])
    for channel, hz in ((0, 4000), (2, 8000)):
        assert level_db(output[channel], 1.2 * hz) > level_db(audio[channel], 1.2 * hz) + 40
    order = [2, 0, 1]
    assert torch.allclose(enhancer(audio[order], RATE)[0], output[order], atol=1e-4)


def test_edges_are_told_by_channel(enhancer: Enhancer) -> None:
    audio = torch.cat([noise(2, 4000), noise(2, 8000, 2)])
    told = enhancer(audio, RATE, cutoff_hz=[4000, 8000])[0]
    measured = enhancer(audio, RATE, cutoff_hz=[None, 8000])[0]
    assert torch.equal(told[1], measured[1])
    assert level_db(told[0], 4800) > level_db(audio[0], 4800) + 40
    assert level_db((told - audio)[1], 0) < level_db((told - audio)[0], 0)
    for wrong, message in (([4000], "is of 1 channels where the recording has 2"), ([4000, "x"], "is not possible")):
        with pytest.raises(ConfigError, match=message):
            enhancer(audio, RATE, cutoff_hz=wrong)


def test_edges_are_told_by_stretch(enhancer: Enhancer) -> None:
    audio = torch.cat([noise(3, 4000), noise(3, 8000, 2)], dim=1)
    told = enhancer(audio, RATE, cutoff_hz=[[[0, 4000], [3, 8000]]])[0]
    added = told - audio
    assert level_db(told[0, : 2 * RATE], 4800) > level_db(audio[0, : 2 * RATE], 4800) + 40
    assert level_db(told[0, 4 * RATE :], 9600) > level_db(audio[0, 4 * RATE :], 9600) + 40
    later = [signal[0, 4 * RATE :] for signal in (added, audio)]
    below = [float(torch.fft.rfft(signal).abs()[: 2 * 6000].square().sum()) for signal in later]  # of 2 s, up to 6 kHz
    assert below[0] < 1e-6 * below[1]
    for wrong in ([[]], [[[1, 4000]]], [[[0, 4000], [0, 8000]]], [[["a", 4000]]], [[[0, 4000, 1]]]):
        with pytest.raises(ConfigError, match="is not possible"):
            enhancer(audio, RATE, cutoff_hz=wrong)


@given(
    st.lists(st.floats(1, 30), max_size=4, unique=True),
    st.lists(st.sampled_from([3000.0, 4000.0, 8000.0, NYQUIST]), min_size=5, max_size=5),
    st.integers(0, 30 * RATE),
)
def test_sections_share_each_sample_out(times: list[float], edges_hz: list[float], begin: int) -> None:
    """All shares make one everywhere, and each section has its own edge in its middle."""
    times = [0.0, *(t for i, t in enumerate(sorted(times)) if i == 0 or t - sorted(times)[i - 1] > 0.5), 40.0]
    channel = [Edge(*stretch) for stretch in zip(times[:-1], times[1:], edges_hz, strict=False)]
    sections = plan_sections([channel], RATE)
    shares = [section.share((begin, begin + 1000), RATE) for section in sections]
    assert torch.allclose(sum(share for share in shares if share is not None), torch.ones(1000), atol=1e-5)
    for edge, section in zip(channel, sections, strict=True):
        middle = round((edge.begin_s + edge.end_s) / 2 * RATE)
        share = section.share((middle, middle + 10), RATE)
        assert share is not None and share.min() == 1 and section.edges_hz == (edge.hz,)


def test_edges_that_lie_close_are_one_and_narrow_files_end_below_their_nyquist() -> None:
    edges = [[Edge(0, 5, 4000.0), Edge(5, 7, 4300.0), Edge(7, 9, 21_500.0)], [Edge(0, 9, 9000.0)]]
    assert settled(edges, RATE, RATE) == [[Edge(0, 7, 4000.0), Edge(7, 9, NYQUIST)], [Edge(0, 9, 9000.0)]]
    slopes = [[Edge(0, 5, 4000.0, 2500.0), Edge(5, 7, 4300.0, 4300.0)]]
    assert settled(slopes, RATE, RATE) == [[Edge(0, 7, 4000.0, 2500.0)]]
    assert settled([[Edge(0, 1, 4000.0)]], 8000, RATE) == [[Edge(0, 1, 3720.0)]]
    assert settled([[Edge(0, 1, 48_000.0)]], 96_000, RATE) == [[Edge(0, 1, NYQUIST)]]


def test_what_a_gentle_slope_dims_under_its_edge_is_levelled(enhancer: Enhancer) -> None:
    """The steeper the fall, the later the output takes over, without a step; at 0.8 x the edge it is the input."""
    edge, length = 6000.0, 2 * RATE
    lr, output = torch.zeros(1, 1, length), noise(2, None)[None]
    starts = []
    for knee in (3000.0, 5400.0, 5500.0, 5700.0, 6000.0):
        mixed = replace_low_band(output, lr, torch.tensor([edge]), RATE, "crossfade", torch.tensor([knee]))
        share = windowed(mixed[0, 0]).abs() / windowed(output[0, 0]).abs()
        assert share[: int(0.8 * edge * 2)].max() < 3e-4
        starts.append(float((share[int(0.8 * edge * 2) : int(1.1 * edge * 2)] > 0.5).int().argmax() / 2 + 0.8 * edge))
    assert starts[:2] == pytest.approx([5400, 5400], abs=20)
    assert starts[2:] == pytest.approx([5500, 5700, 6000], abs=20)
    dimmed = zero_phase_slope(noise(6, None)[None], 4000)[0]
    restored = enhancer(dimmed, RATE)[0]
    hz = find_edges(dimmed, RATE)[0][0].hz
    band = slice(int(0.93 * hz * 6), int(hz * 6))
    gain = windowed(restored)[0, band].abs().square().mean() / windowed(dimmed)[0, band].abs().square().mean()
    assert 10 * torch.log10(gain) > 3
