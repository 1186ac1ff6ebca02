"""Where content ends: what is content and what is not, per channel and in time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from saga_sr.audio.edges import Edge, EdgeFinder, content_edge_hz, find_edges, most_likely_path
from saga_sr.audio.resample import resample

RATE = 44_100
NYQUIST = RATE / 2


def noise(seconds: float, cutoff_hz: float | None = None, seed: int = 0, rate: int = RATE) -> Tensor:
    """Noise whose level swings twice a second, with a steep edge, [1, time] at -20 dB or so."""
    generator = torch.Generator().manual_seed(seed)
    audio = torch.randn(1, int(seconds * rate), generator=generator, dtype=torch.float64)
    audio = audio * (0.06 + 0.05 * torch.sin(torch.arange(audio.shape[-1]) * (2 * np.pi * 2 / rate)))
    return low_passed(audio, lambda hz: (hz < cutoff_hz).double(), rate) if cutoff_hz else audio.float()


def low_passed(audio: Tensor, gain: Callable[[Tensor], Tensor], rate: int = RATE) -> Tensor:
    spectrum = torch.fft.rfft(audio.double())
    hz = torch.fft.rfftfreq(audio.shape[-1], 1 / rate, dtype=torch.float64)
    return torch.fft.irfft(spectrum * gain(hz), audio.shape[-1]).float()


def only_edge(audio: Tensor, rate: int = RATE) -> float:
    edges = find_edges(audio, rate)
    assert [len(channel) for channel in edges] == [1] * audio.shape[0]
    return edges[0][0].hz


@pytest.mark.parametrize("cutoff", [2000, 3400, 5500, 8000, 12_000, 16_000, 19_000])
def test_a_steep_edge_is_found(cutoff: float) -> None:
    assert only_edge(noise(5, cutoff)) == pytest.approx(cutoff, rel=0.05)
    assert content_edge_hz(noise(5, cutoff), RATE) == pytest.approx(cutoff, rel=0.05)


def test_a_recording_without_an_edge_is_full_band() -> None:
    assert only_edge(noise(5)) == NYQUIST


@pytest.mark.parametrize("order", [4, 6, 8])
def test_a_gentle_slope_ends_where_it_is_20_to_30_db_down(order: int) -> None:
    audio = low_passed(noise(8), butterworth(4000, order))
    low, high = (4000 * 10 ** (fall / (20 * order)) for fall in (20, 30))
    assert low / 1.08 < only_edge(audio) < high * 1.08


def butterworth(cutoff_hz: float, order: float) -> Callable[[Tensor], Tensor]:
    return lambda hz: (1 + (hz / cutoff_hz) ** (2 * order)).rsqrt()


@pytest.mark.parametrize("cutoff", [4000, 6000])
def test_a_knee_is_where_a_slope_begins(cutoff: float) -> None:
    for order in (5, 6, 8, 12, 16, 24, 32):
        knee_hz, end_hz = (cutoff * (10 ** (fall / 10) - 1) ** (1 / (2 * order)) for fall in (4.5, 25))
        edge = find_edges(low_passed(noise(8), butterworth(cutoff, order)), RATE)[0][0]
        assert edge.hz == pytest.approx(end_hz, rel=0.12)
        assert edge.knee_hz == pytest.approx(knee_hz, rel=0.15)


def test_content_that_falls_steeply_by_itself_ends_at_its_cliff() -> None:
    falling = low_passed(noise(8, 17_000), butterworth(8000, 4))
    assert only_edge(falling) == pytest.approx(17_000, rel=0.05)


def test_a_bass_alone_has_no_edge() -> None:
    assert only_edge(noise(6, 900) + 1e-3 * noise(6, seed=1)) == NYQUIST


def test_a_cliff_has_no_knee() -> None:
    assert [edge.knee_hz for edge in find_edges(noise(5, 4000), RATE)[0]] == [only_edge(noise(5, 4000))]
    assert [edge.knee_hz for edge in find_edges(noise(5), RATE)[0]] == [NYQUIST]
    assert Edge(0, 1, 4000).knee_hz == 4000


def clicks(seconds: float) -> Tensor:
    generator = np.random.default_rng(1)
    audio = torch.zeros(1, int(seconds * RATE))
    for place in generator.integers(0, audio.shape[-1] - 9, int(20 * seconds)):
        audio[:, place : place + 3] += float(generator.choice([-0.6, 0.6]))
    return audio


def sine(hz: float, level_db: float, seconds: float) -> Tensor:
    return 10 ** (level_db / 20) * torch.sin(torch.arange(int(seconds * RATE))[None] * (2 * np.pi * hz / RATE))


@pytest.mark.parametrize(
    "added",
    [sine(15_734, -50, 6), sine(19_000, -40, 6), clicks(6), 10 ** (-62 / 20) * noise(6, seed=1).sign(), 0.3],
    ids=["TV line", "pilot", "clicks", "hiss", "DC"],
)
def test_what_is_no_content_moves_no_edge(added: Tensor | float) -> None:
    assert only_edge(noise(6, 4000) + added) == pytest.approx(4000, rel=0.05)


def test_an_edge_that_changes_in_time() -> None:
    edges = find_edges(torch.cat([noise(9, 16_000), noise(3, 4000), noise(6, 16_000)], dim=-1), RATE)[0]
    assert [edge.hz for edge in edges] == pytest.approx([16_000, 4000, 16_000], rel=0.05)
    assert [edge.end_s for edge in edges] == pytest.approx([9, 12, 18], abs=1.1)
    assert [edge.begin_s for edge in edges] == [0, *(edge.end_s for edge in edges[:-1])]


def test_drums_over_a_dull_melody_are_content() -> None:
    melody = sum(sine(hz, level, 8) for hz, level in ((440, -12), (880, -20), (1320, -26), (1760, -34), (2640, -40)))
    time = torch.arange(8 * RATE) / RATE
    hits = 3 * noise(8, seed=3) * torch.exp(-(time % 0.5) / 0.012)
    assert only_edge(melody + 1e-4 * noise(8, seed=1)) < 4000
    assert only_edge(melody + hits) == NYQUIST


def test_steady_hiss_that_an_encoder_has_cut_off_is_none() -> None:
    generator = torch.Generator().manual_seed(1)
    hiss = low_passed(1e-3 * torch.randn(1, 6 * RATE, generator=generator), lambda hz: (hz < 16_000).double())
    assert only_edge(noise(6, 4000) + hiss) == pytest.approx(4000, rel=0.05)


@pytest.mark.parametrize(("above_floor_db", "expected"), [(20, 12_000), (2, 4000)])
def test_what_is_barely_above_the_floor_is_no_content(above_floor_db: float, expected: float) -> None:
    generator = torch.Generator().manual_seed(1)
    hiss = 2e-3 * torch.randn(1, 8 * RATE, generator=generator)
    faint = low_passed(hiss.flip(-1) * 10 ** (above_floor_db / 20), lambda hz: ((hz > 4000) & (hz < 12_000)).double())
    faint = faint * (1 + torch.sin(torch.arange(8 * RATE) * (2 * np.pi * 2 / RATE)))
    assert only_edge(noise(8, 4000) + hiss + faint) == pytest.approx(expected, rel=0.06)


def test_each_channel_has_its_own() -> None:
    edges = find_edges(torch.cat([noise(5, 16_000), noise(5, 3400, seed=1)]), RATE)
    assert [[edge.hz for edge in channel] for channel in edges] == [
        [pytest.approx(16_000, rel=0.05)],
        [pytest.approx(3400, rel=0.05)],
    ]


def test_pauses_and_duller_phrases_take_the_edge_of_their_neighbours() -> None:
    dull = low_passed(noise(2, 8000), lambda hz: (1 + (hz / 1500) ** 4).rsqrt())
    hiss = 1e-4 * torch.randn(1, 2 * RATE, generator=torch.Generator().manual_seed(5))
    silence = torch.zeros(1, 2 * RATE)
    parts = [noise(4, 8000), dull, noise(4, 8000), hiss, noise(4, 8000), silence, noise(3, 8000)]
    assert only_edge(torch.cat(parts, dim=-1)) == pytest.approx(8000, rel=0.05)


def test_a_single_section_is_no_change() -> None:
    score = np.zeros((20, 3))
    score[:, 1] = 1
    score[9] = [0, 0, 1]
    assert most_likely_path(score, change=1.5).tolist() == [1] * 20
    score[8:12] = [0, 0, 1]
    assert most_likely_path(score, change=1.5).tolist() == [1] * 8 + [2] * 4 + [1] * 8


def test_a_narrow_recording_in_a_container_of_a_high_rate() -> None:
    assert only_edge(noise(4, 4000, rate=96_000), 96_000) == pytest.approx(4000, rel=0.05)
    assert only_edge(noise(4, 30_000, rate=96_000), 96_000) == pytest.approx(30_000, rel=0.05)
    at_8k = resample(noise(4, rate=8000), 8000, 48_000)
    assert only_edge(at_8k, 48_000) == pytest.approx(4000, rel=0.08)


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 48_000, 192_000])
def test_all_rates(rate: int) -> None:
    assert only_edge(noise(4, rate=rate), rate) == rate / 2
    assert only_edge(noise(4, 0.35 * rate, rate=rate), rate) == pytest.approx(0.35 * rate, rel=0.05)


@pytest.mark.parametrize("samples", [1, 100, 1023, 5000])
def test_short_and_silent_files_are_full_band(samples: int) -> None:
    for audio in (torch.zeros(2, samples), torch.full((1, samples), 0.5)):
        assert {edge.hz for channel in find_edges(audio, RATE) for edge in channel} == {NYQUIST}
    assert find_edges(torch.zeros(1, samples), RATE)[0][0].end_s == samples / RATE


@settings(max_examples=10, deadline=None)
@given(blocks=st.lists(st.integers(1, 70_000), min_size=1, max_size=12))
def test_blocks_are_the_whole(blocks: list[int]) -> None:
    audio = torch.cat([noise(3, 16_000), noise(3, 4000)], dim=-1)
    finder = EdgeFinder(RATE)
    for block in audio.split([*blocks, audio.shape[-1] - sum(blocks)] if sum(blocks) < audio.shape[-1] else 9999, -1):
        finder.add(block)
    assert finder.finish() == find_edges(audio, RATE)


@settings(max_examples=15, deadline=None)
@given(gain_db=st.floats(-60, 20), sign=st.sampled_from([-1, 1]), cutoff=st.floats(2000, 18_000))
def test_gain_polarity_and_the_order_of_channels_change_nothing(gain_db: float, sign: int, cutoff: float) -> None:
    audio = torch.cat([noise(3, cutoff), 0.1 * noise(3, 3000, seed=2)])
    left, right = find_edges(audio, RATE)
    moved_right, moved_left = find_edges(sign * 10 ** (gain_db / 20) * audio.flip(0), RATE)
    for edges, moved in ((left, moved_left), (right, moved_right)):
        assert [edge.hz for edge in moved] == pytest.approx([edge.hz for edge in edges], rel=1e-4)
