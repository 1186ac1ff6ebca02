"""The figures of methods whose faults are known, against what theory says of these."""

from __future__ import annotations

import csv
import json
import logging
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from saga_sr.core.errors import AudioError
from saga_sr.evaluation.bands import Bands, coherence, low_band_error_db, ratio_db
from saga_sr.evaluation.comparison import Clip, Method, write_json, write_rows
from saga_sr.evaluation.invariance_figures import CHUNK_S, FIGURES, GAINS_DB
from saga_sr.evaluation.invariances import (
    Invariances,
    invariances_table,
    loudest_stretch,
    measure_invariances,
)

RATE, CUTOFF = 44_100, 4000
# The range of levels that clips are tried at.
RANGE_DB = max(GAINS_DB) - min(GAINS_DB)
QUIET = 10 ** (min(GAINS_DB) / 20)


def noise(seed: int, *shape: int) -> Tensor:
    return 0.05 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


CLIPS = [Clip(f"clip {seed}", noise(seed, 1, 2 * RATE), "noise") for seed in range(3)]


def shifted(lr: Tensor) -> Tensor:
    """What lies below the cutoff, moved up by 1.2 x the cutoff and 20 dB down."""
    length = lr.shape[-1]
    spectrum = torch.fft.fft(lr.double(), 2 * length)
    spectrum[..., length:] = 0
    phase = 2 * math.pi * 1.2 * CUTOFF / RATE * torch.arange(length).double()
    return (0.2 * torch.fft.ifft(spectrum)[..., :length] * torch.polar(torch.ones_like(phase), phase)).real.to(lr)


def high_noise(*shape: int) -> Tensor:
    """Noise from 6 to 20 kHz, of one seed for every channel."""
    spectrum = torch.fft.rfft(noise(9, *shape))
    hz = torch.fft.rfftfreq(shape[-1], 1 / RATE)
    return torch.fft.irfft(spectrum * ((hz > 6000) & (hz < 20_000)), shape[-1])


def method_of(restore: Callable[[Tensor], Tensor]) -> Method:
    return lambda lr, cutoff_hz, captions: restore(lr)


def perfect(lr: Tensor) -> Tensor:
    return lr + shifted(lr)


def figures_of(restore: Callable[[Tensor], Tensor], chunked: Callable[[Tensor], Tensor] | None = None) -> dict:
    result = measure_invariances(CLIPS, method_of(restore), method_of(chunked or restore), [CUTOFF], RATE)
    assert not result.failures
    return {name: result.worst(CUTOFF, name) for name in FIGURES}


def wrong(figures: dict[str, float]) -> set[str]:
    return {name for name, value in figures.items() if not FIGURES[name].is_right(value)}


def test_a_method_that_turns_with_its_input_has_perfect_figures() -> None:
    figures = figures_of(perfect)
    assert wrong(figures) == set()
    for name, value in figures.items():
        error = name.endswith("error_db")
        assert value < -110 if error else value == pytest.approx(FIGURES[name].ideal, abs=0.05), name


def test_noise_of_one_level() -> None:
    """Louder clips bury it, and inverted ones do not invert it."""

    def restore(lr: Tensor) -> Tensor:
        return lr + high_noise(lr.shape[-1])

    figures = figures_of(restore)
    assert figures["gain_high_band_db"] == pytest.approx(RANGE_DB, abs=0.01)
    # (n / g) - n, against clip + n; and 2 n.
    assert figures["gain_error_db"] - figures["polarity_error_db"] == pytest.approx(
        20 * math.log10((1 / QUIET - 1) / 2), abs=0.1
    )
    # A passage alone has as much of it as beside another.
    assert figures["passages_db"] == pytest.approx(0, abs=0.3)
    assert figures["coherence"] > 0.8 and figures["empty_channel_peak"] == pytest.approx(
        float(high_noise(round(1.5 * RATE)).abs().max())
    )
    # Clip and negative are in no way opposite where there is but the noise.
    assert figures["antiphase_correlation"] == pytest.approx(1, abs=1e-3)
    assert figures["pan_db"] == pytest.approx(-12, abs=0.05)
    assert wrong(figures) == {
        *("gain_error_db", "gain_high_band_db", "polarity_error_db", "pan_db", "antiphase_correlation"),
        *("empty_channel_peak", "coherence"),
    }


def test_a_level_measured_on_the_whole_file() -> None:
    """A quiet passage beside a loud one gets the noise that the loud one asks for."""

    def restore(lr: Tensor) -> Tensor:
        level = lr.square().mean(dim=(1, 2), keepdim=True).sqrt()
        return lr + level * high_noise(lr.shape[-1])

    figures = figures_of(restore)
    # The mean level of both is 3 dB below that of the loud one, and 37 above that of the quiet one.
    assert figures["passages_db"] == pytest.approx(-min(GAINS_DB) - 3, abs=0.3)
    assert figures["gain_high_band_db"] < 0.01 and figures["gain_error_db"] < -100
    assert "polarity_error_db" in wrong(figures)


def test_a_product_of_the_signal_with_itself() -> None:
    """A second order grows twice as fast as the signal, and does not know its polarity."""

    figures = figures_of(lambda lr: lr + shifted(10 * lr.square()))
    assert figures["gain_high_band_db"] == pytest.approx(RANGE_DB, abs=0.1)
    # Of a pan of 12 dB, twice as much; of a negative, the same.
    assert figures["pan_db"] == pytest.approx(12, abs=0.05)
    assert figures["antiphase_correlation"] == pytest.approx(1)
    # (g n) - n, and 2 n, for the largest gain.
    growth = 20 * math.log10((10 ** (max(GAINS_DB) / 20) - 1) / 2)
    assert figures["gain_error_db"] - figures["polarity_error_db"] == pytest.approx(growth, abs=0.05)
    assert figures["swap_error_db"] == -120


def test_one_high_band_for_both_channels() -> None:
    def restore(lr: Tensor) -> Tensor:
        return lr + shifted(lr).mean(dim=1, keepdim=True)

    figures = figures_of(restore)
    assert figures["pan_db"] == pytest.approx(-12, abs=0.01)
    assert figures["antiphase_correlation"] == 0  # nothing is left of them
    # Half of the other channel.
    assert figures["empty_channel_peak"] == pytest.approx(0.1, rel=1)
    assert figures["coherence"] == pytest.approx(0.95, abs=0.1)
    assert wrong(figures) == {"pan_db", "antiphase_correlation", "empty_channel_peak", "coherence"}


def test_channels_that_are_not_treated_alike() -> None:
    gains = torch.tensor([[1.0], [0.9]])

    def restore(lr: Tensor) -> Tensor:
        return lr * gains if lr.shape[1] == 2 else lr

    figures = figures_of(restore)
    assert figures["dual_mono_db"] == pytest.approx(-20, abs=0.01)
    # 0.1 of both, against 1 and 0.9 of them.
    assert figures["swap_error_db"] == pytest.approx(10 * math.log10(0.02 / (1 + 0.81)), abs=0.1)
    assert wrong(figures) >= {"dual_mono_db", "swap_error_db"}


def test_an_error_in_the_low_band() -> None:
    figures = figures_of(lambda lr: 1.001 * perfect(lr))
    assert figures["low_band_error_db"] == pytest.approx(-60, abs=0.01)
    assert wrong(figures) == {"low_band_error_db"}


def test_an_error_above_the_low_band_is_none_in_it() -> None:
    clip = noise(0, RATE)
    assert low_band_error_db(clip + high_noise(RATE), clip, Bands(6000 / 1.1, RATE)) < -110


def test_a_step_at_a_join() -> None:
    def stepped(lr: Tensor) -> Tensor:
        high = shifted(lr)
        high[..., round(CHUNK_S * RATE) :] *= 10 ** (2 / 20)
        return lr + high

    figures = figures_of(perfect, stepped)
    assert figures["chunks_level_db"] == pytest.approx(2, abs=0.01)
    # In half of the time, 0.26 of what lies 20 dB down.
    assert figures["chunks_error_db"] == pytest.approx(20 * math.log10(0.1 * 0.2589 * math.sqrt(0.5)), abs=0.1)
    assert wrong(figures) == {"chunks_level_db", "chunks_error_db"}


def test_a_method_that_restores_nothing_has_figures_all_the_same() -> None:
    figures = figures_of(lambda lr: lr)
    assert all(math.isfinite(value) for value in figures.values())
    silent = figures_of(lambda lr: 0 * lr)
    assert all(math.isfinite(value) for value in silent.values())
    assert silent["low_band_error_db"] == pytest.approx(0) and silent["antiphase_correlation"] == 0


def test_coherence_is_that_of_scipy() -> None:
    from scipy import signal

    audio = noise(0, 2, RATE)
    audio[1] += 0.5 * audio[0]
    left, right = audio.double().numpy()
    ways = {"fs": RATE, "nperseg": 512, "noverlap": 384, "detrend": False}
    band = Bands(CUTOFF, RATE).between(0.5, 1, 512)
    cross, norm = (
        abs(signal.csd(left, right, **ways)[1]),
        (signal.welch(left, **ways)[1] * signal.welch(right, **ways)[1]) ** 0.5,
    )
    assert coherence(audio, band) == pytest.approx(cross[band].sum() / norm[band].sum(), abs=1e-3)


def test_ratios_are_kept_within_their_limits() -> None:
    assert [ratio_db(*pair) for pair in ((0, 0), (0, 1), (1, 0), (1e-20, 1))] == [-120, -120, 120, -120]
    assert ratio_db(2.0, 1.0) == pytest.approx(3.01, abs=0.01)


def test_the_loudest_stretch_of_the_loudest_channel() -> None:
    audio = noise(0, 2, 1000)
    audio[1] *= 2
    audio[1, 600:700] *= 10
    stretch = loudest_stretch(audio, 200)
    start = next(i for i in range(801) if torch.equal(audio[1, i : i + 200], stretch))
    assert 500 <= start <= 600
    assert torch.equal(loudest_stretch(audio, 1000), audio[1])


def test_few_clips_are_taken_of_one_length_and_silent_ones_passed_over() -> None:
    shapes: set[torch.Size] = set()
    said: set[str] = set()

    def restore(lr: Tensor, cutoff_hz: Tensor, captions: list[str]) -> Tensor:
        assert cutoff_hz.tolist() == [CUTOFF] * len(lr)
        shapes.add(lr.shape[1:])
        said.update(captions)
        return lr

    clips = [
        Clip("silent", torch.zeros(1, RATE)),
        Clip("stereo", noise(0, 2, 2 * RATE), "a"),
        Clip("short", noise(1, 1, RATE), "b"),
        Clip("too many", noise(2, 1, RATE), "c"),
    ]
    result = measure_invariances(clips, restore, restore, [CUTOFF], RATE)
    assert [row.clip for row in result.rows] == ["stereo", "short"] and said == {"a", "b"}
    assert shapes == {torch.Size(shape) for shape in ((1, RATE), (2, RATE), (1, 2 * RATE))}
    assert measure_invariances(clips[:1], restore, restore, [CUTOFF], RATE).rows == []


def test_a_clip_that_is_alone_is_two_sources_all_the_same() -> None:
    def independent(lr: Tensor) -> Tensor:
        if lr.shape[1] == 2:
            two = lr[4] / lr[4].norm(dim=1, keepdim=True)
            assert abs(float(two.prod(dim=0).sum())) < 0.05
        return lr

    method = method_of(independent)
    assert len(measure_invariances(CLIPS[:1], method, method, [CUTOFF], RATE).rows) == 1


def test_clips_that_fail_are_named_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    def fails(lr: Tensor, cutoff_hz: Tensor, captions: list[str]) -> Tensor:
        if cutoff_hz[0] > CUTOFF:
            raise AudioError("too high.")
        return lr / 0 if captions[0] == "worse" else lr

    clips = [Clip("a", noise(0, 1, RATE)), Clip("b", noise(1, 1, RATE), "worse")]
    with caplog.at_level(logging.WARNING):
        result = measure_invariances(clips, fails, fails, [CUTOFF, 8000], RATE)
    assert [(row.clip, row.cutoff_hz) for row in result.rows] == [("a", CUTOFF)]
    assert result.cutoffs_hz == [CUTOFF] and len(result.failures) == 3
    assert "b at 4000 Hz: Method output" in caplog.text and "a at 8000 Hz: too high." in caplog.text


@pytest.fixture(scope="module")
def result() -> Invariances:
    method = method_of(lambda lr: 1.001 * perfect(lr))
    return measure_invariances(CLIPS, method, method, [CUTOFF], RATE)


def test_summary_rows_and_table_hold_every_figure(result: Invariances, tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", result.summary())
    summary = json.loads((tmp_path / "a.json").read_text())
    assert {*summary} == {"4000"} and [*summary["4000"]] == [*FIGURES]
    assert summary["4000"]["low_band_error_db"] == pytest.approx(-60, abs=0.01)
    write_rows(tmp_path / "a.csv", result.rows)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 and {*rows[0]} == {"clip", "cutoff_hz", "method", *FIGURES}
    lines = invariances_table(result).splitlines()
    assert len(lines) == 2 + len(FIGURES) and len({len(line) for line in lines}) == 1
    line = next(line for line in lines if FIGURES["low_band_error_db"].title in line)
    assert "≤ -80" in line and "-60.00" in line


def test_the_worst_clip_is_the_one_furthest_from_right() -> None:
    result = Invariances()
    measured = measure_invariances(CLIPS, method_of(perfect), method_of(perfect), [CUTOFF], RATE).rows
    result.rows = measured
    for name, values, worst in (
        ("pan_db", (1.0, -2.0), -2.0),
        ("gain_error_db", (-100.0, -70.0), -70.0),
        ("antiphase_correlation", (-1.0, -0.2), -0.2),
    ):
        for row, value in zip(measured, values, strict=True):
            row.metrics[name] = value
        assert result.worst(CUTOFF, name) == worst


def test_figures_say_what_is_right() -> None:
    assert FIGURES["gain_error_db"].right == "≤ -60" and FIGURES["pan_db"].right == "0 ± 0.1"
    peak = FIGURES["empty_channel_peak"]
    assert peak.right == "0" and peak.text(0.0) == "0" and peak.text(1.23e-7) == "1.23e-07"
    assert peak.is_right(0.0) and not peak.is_right(1e-12)
    assert FIGURES["pan_db"].text(-1e-6) == "0.00"
