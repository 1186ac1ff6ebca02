from __future__ import annotations

import csv
import json
import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor

from saga_sr.core.errors import AudioError
from saga_sr.evaluation.comparison import Clip, Comparison, compare_methods, table, write_json, write_rows
from saga_sr.evaluation.metrics import measure

RATE = 44_100
METRICS = {
    *("lsd", "lsd_hf", "lsd_hf_audible", "lsd_lf", "level_hf_db", "energy_hf_db", "onset_hf_db"),
    *("si_sdr", "snr", "correlation", "rmse", "mel_l1", "mel_l2"),
}


def noise(seed: int, n: int = 20_000) -> Tensor:
    return 0.1 * torch.randn(1, n, generator=torch.Generator().manual_seed(seed))


def as_it_is(lr: Tensor, cutoff_hz: Tensor, captions: list[str]) -> Tensor:
    return lr


def comparison() -> Comparison:
    clips = [Clip(f"clip {i}", noise(i)) for i in range(3)] + [Clip("longer", noise(3, 30_000))]
    methods = {"input": as_it_is, "output": lambda lr, cutoff_hz, _: lr + noise(9, lr.shape[-1])}
    return compare_methods(clips, methods, [4000, 8000], RATE, batch_size=2, examples=2)


def test_the_summary_has_the_mean_of_every_metric_by_cutoff_and_method(tmp_path: Path) -> None:
    result = comparison()
    write_json(tmp_path / "metrics.json", result.summary({"train": 1.0, "evaluate": 2.0}))
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert set(content) == {"clips", "cutoffs", "seconds"}
    assert content["clips"] == 4 and content["seconds"] == {"train": 1.0, "evaluate": 2.0}
    assert list(content["cutoffs"]) == ["4000", "8000"]
    for cutoff in ("4000", "8000"):
        assert set(content["cutoffs"][cutoff]) == METRICS
        for metric, means in content["cutoffs"][cutoff].items():
            assert list(means) == ["input", "output"]
            for method, mean in means.items():
                values = [r.metrics[metric] for r in result.rows if (str(r.cutoff_hz), r.method) == (cutoff, method)]
                assert len(values) == 4 and mean == pytest.approx(sum(values) / 4, abs=1e-5)
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_methods_get_what_was_low_passed_and_are_measured_against_the_clip() -> None:
    seen: dict[int, Tensor] = {}

    def keeps(lr: Tensor, cutoff_hz: Tensor, captions: list[str]) -> Tensor:
        seen[int(cutoff_hz[0])] = lr
        return lr

    result = compare_methods([Clip("a", noise(0))], {"m": keeps}, [4000, 8000], RATE, examples=1)
    for example, row in zip(result.examples, result.rows, strict=True):
        lr = seen[example.cutoff_hz]
        # Far above the cutoff nothing is left, far below nothing is lost.
        gain = (torch.fft.rfft(lr[0, 0]).abs() / torch.fft.rfft(noise(0)[0]).abs()).square()
        edge = int(example.cutoff_hz / RATE * 20_000)
        assert float(gain[int(1.1 * edge) :].median()) < 1e-4
        assert float(gain[: int(0.8 * edge)].median()) == pytest.approx(1, abs=0.05)
        assert torch.equal(example.audios["m"], lr[0]) and torch.equal(example.audios["reference"], noise(0))
        expected = measure(lr, noise(0)[None], torch.tensor([float(example.cutoff_hz)]), RATE)
        assert row.metrics == pytest.approx({name: float(value) for name, value in expected.items()})


def test_batches_do_not_change_the_figures() -> None:
    clips = [Clip(str(i), noise(i)) for i in range(3)]
    rows = [compare_methods(clips, {"m": as_it_is}, [4000], RATE, batch_size=size).rows for size in (1, 3)]
    for one, other in zip(*rows, strict=True):
        assert one.clip == other.clip and one.metrics == pytest.approx(other.metrics, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("fault", ["error", "nan", "shape"])
def test_a_failing_clip_is_named_counted_and_left_out_and_its_batch_done(
    fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(lr: Tensor, cutoff_hz: Tensor, captions: list[str]) -> Tensor:
        broken = (lr.abs().amax(dim=(1, 2)) > 1)[:, None, None]
        if not broken.any():
            return lr
        if fault == "error":
            raise AudioError("this one is broken.")
        return lr.where(~broken, torch.nan) if fault == "nan" else lr[..., :-1]

    clips = [Clip("a", noise(0)), Clip("loud", 100 * noise(1)), Clip("b", noise(2))]
    with caplog.at_level(logging.WARNING):
        result = compare_methods(clips, {"output": fails}, [4000], RATE)
    assert [row.clip for row in result.rows] == ["a", "b"]
    assert len(result.failures) == 1 and "loud at 4000 Hz" in result.failures[0]
    assert "1 of 3" in caplog.text and "loud" in caplog.text


def test_nothing_to_compare_is_an_error_that_says_why() -> None:
    def fails(lr: Tensor, cutoff_hz: Tensor, captions: list[str]) -> Tensor:
        raise AudioError("this one is broken.")

    with pytest.raises(AudioError, match="a at 4000 Hz: this one is broken"):
        compare_methods([Clip("a", noise(0))], {"output": fails}, [4000], RATE)
    with pytest.raises(AudioError, match="No clip"):
        compare_methods([], {"output": as_it_is}, [4000], RATE)


def test_rows_and_table_hold_every_clip_and_method(tmp_path: Path) -> None:
    result = comparison()
    write_rows(tmp_path / "metrics.csv", result.rows)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 2 * 2 and set(rows[0]) == {"clip", "cutoff_hz", "method"} | METRICS
    first = result.rows[0]
    assert rows[0]["clip"] == first.clip and float(rows[0]["lsd"]) == pytest.approx(first.metrics["lsd"], rel=1e-4)
    lines = table(result).splitlines()
    assert len(lines) == 2 + 2 * 2 and len({len(line) for line in lines}) == 1
    assert f"{result.mean(8000, 'output', 'lsd_hf'):.2f}" in lines[-1] and "8 kHz" in lines[-1]
