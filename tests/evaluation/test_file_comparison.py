"""Files of any system against their references: `saga-sr evaluate generated=... reference=... lowres=...`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.resample import resample
from saga_sr.cli.main import dispatch
from saga_sr.core.errors import AudioError, ConfigError, DataError, SagaError, UsageError
from saga_sr.evaluation import file_comparison
from saga_sr.evaluation.file_comparison import aligned_signals, compare_files, find_files
from saga_sr.evaluation.metrics import measure
from saga_sr.evaluation.perceptual import Heard
from saga_sr.files.writing import write_audio

RATE, LENGTH = 44_100, 30_000


@pytest.fixture(autouse=True)
def _deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of listeners take seconds, and have tests of their own."""
    heard = Heard({"pesq": None, "stoi": 0.5, "visqol": 3.0}, {"pesq": "it finds no utterance"})
    monkeypatch.setattr(file_comparison, "listen", lambda *_: heard)


def noise(seed: int, n: int = LENGTH, channels: int = 1) -> torch.Tensor:
    return 0.1 * torch.randn(channels, n, generator=torch.Generator().manual_seed(seed))


def low_passed(audio: torch.Tensor, hz: float) -> torch.Tensor:
    return degrade(audio[None], [LowPassFilter("chebyshev1", 8, hz)], RATE)[0]


def folders(root: Path) -> list[str]:
    """Two recordings, of which the system dims the high band of the first by half and leaves the second as it is."""
    for i in range(2):
        audio = noise(i)
        low = low_passed(audio, 6000)
        write_audio(root / "reference" / f"deep/my song {i}.flac", audio, RATE)
        write_audio(root / "generated" / f"deep/my song {i}.wav", low + (0.5 + 0.5 * i) * (audio - low), RATE)
        write_audio(root / "lowres" / f"deep/my song {i}.wav", resample(low, RATE, 16_000), 16_000)
    write_audio(root / "generated" / "alone.wav", noise(3), RATE)
    return [f"{name}={root / name}" for name in ("generated", "reference", "lowres")]


def test_files_get_all_metrics_and_the_report_of_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dispatch(["evaluate", *folders(tmp_path), f"output={tmp_path / 'out'}", "examples=1"])
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    (cutoff,) = found["cutoffs"]  # where the inputs end
    assert found["clips"] == 2 and abs(int(cutoff) - 6000) < 200
    means = found["cutoffs"][cutoff]
    assert {"lsd", "lsd_hf", "mel_l1", "mel_l2", "si_sdr", "stoi", "visqol"} < {*means}
    assert all({*values} == {"input", "band_replication", "output"} for values in means.values())
    assert means["lsd_hf"]["output"] < means["lsd_hf"]["band_replication"] < means["lsd_hf"]["input"]
    assert means["energy_hf_db"]["output"] == pytest.approx(-6.02 / 2, abs=0.3)
    assert means["stoi"]["output"] == 0.5 and means["pesq"]["output"] is None
    assert found["undefined"] == {"pesq": "it finds no utterance"}
    with (tmp_path / "out" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3 and {row["pesq"] for row in rows} == {""} and "my song 1" in rows[-1]["clip"]
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for text in ("Means over 2 recordings", "ViSQOL", "mel L2", "it finds no utterance", "alone.wav"):
        assert text in report
    assert "held-out" not in report and "alone.wav has no partner" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out" / "audio").iterdir()) == [
        f"01_{cutoff}_{name}.flac" for name in ("band_replication", "input", "output", "reference")
    ]


@pytest.mark.parametrize("late", [-700, 0, 1234])
def test_another_rate_delay_and_length_are_undone(tmp_path: Path, late: int) -> None:
    reference = low_passed(noise(0, 2 * LENGTH), 9000)
    moved = torch.cat([torch.zeros(1, late), reference], dim=1) if late > 0 else reference[:, -late:]
    write_audio(tmp_path / "reference.wav", reference, RATE)
    write_audio(tmp_path / "generated.wav", resample(moved[:, :-50], RATE, 2 * RATE), 2 * RATE)
    files, remarks = find_files(tmp_path / "generated.wav", tmp_path / "reference.wav", None)
    (first, second), said = aligned_signals(files[0], RATE, 10.0)
    assert not remarks and not said and first.shape == second.shape
    assert first.shape[-1] >= 2 * LENGTH - 50 - abs(late) - 1
    (row,) = compare_files(files, [4000, 30_000]).rows  # the second is beyond the band
    assert row.metrics["snr"] > 50 and row.metrics["lsd"] < 0.2
    expected = measure(second[None], first[None], torch.tensor([4000.0]), RATE)
    assert row.metrics["lsd_hf"] == pytest.approx(float(expected["lsd_hf"]))


def test_what_does_not_fit_is_compared_as_far_as_it_does_and_named(tmp_path: Path) -> None:
    write_audio(tmp_path / "reference.wav", noise(0, channels=2), RATE)
    write_audio(tmp_path / "generated.wav", noise(1, 2 * LENGTH), RATE)
    files, _ = find_files(tmp_path / "generated.wav", tmp_path / "reference.wav", None)
    signals, said = aligned_signals(files[0], RATE, 10.0)
    assert [signal.shape for signal in signals] == [(1, LENGTH), (1, LENGTH)]
    assert "at no delay" in said[0] and "lengths differ by 0.7 s; the 0.7 s that all have are compared" in said[1]


def test_bad_input_is_answered_in_a_sentence(tmp_path: Path) -> None:
    generated, reference, lowres = folders(tmp_path)
    audio, text = tmp_path / "short.wav", tmp_path / "text.wav"
    write_audio(audio, noise(0, 100), RATE)
    text.write_text("no audio")
    (tmp_path / "empty").mkdir()
    write_audio(tmp_path / "other" / "another.wav", noise(0), RATE)

    def refused(kind: type[SagaError], said: str, *words: str) -> None:
        with pytest.raises(kind, match=said):
            dispatch(["evaluate", *words, f"output={tmp_path / 'out'}"])

    refused(UsageError, "reference is required", generated)
    refused(UsageError, "generated is required", lowres, reference)
    refused(UsageError, "A model .* and files are both given", "model=saga-sr-mini", generated, reference)
    refused(AudioError, "There is no folder", f"generated={tmp_path / 'none'}", reference)
    refused(AudioError, "holds no audio files", f"generated={tmp_path / 'empty'}", reference)
    refused(DataError, "No file in .*other has the name of one in", f"generated={tmp_path / 'other'}", reference)
    refused(DataError, "is a file where", f"generated={audio}", reference)
    refused(AudioError, "text.wav", f"generated={text}", f"reference={audio}")
    refused(AudioError, "0.002 s in common, and 0.1 s are needed", f"generated={audio}", f"reference={audio}")
    refused(
        AudioError,
        "reach up to 22.1 kHz, so that nothing",
        generated,
        reference,
        reference.replace("reference=", "lowres="),
    )
    refused(ConfigError, "max_length=.* is no length", generated, reference, "max_length=0")
    refused(ConfigError, "has none below 22050 Hz", generated, reference, "cutoffs_hz=[40000]")
