"""What is measured of files, and in what words it is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from saga_sr.audio.edges import Edge
from saga_sr.audio.levels import Levels, Places
from saga_sr.core.errors import AudioError
from saga_sr.inference.measurement import Heard, Measurement, measure_file
from saga_sr.inference.summary import restoring, table

RATE = 44_100


def noise(seconds: float, cutoff_hz: float | None = None, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """Noise whose level swings twice a second, [time], with a steep edge."""
    count = int(seconds * rate)
    audio = np.random.default_rng(seed).standard_normal(count) * (0.06 + 0.05 * np.sin(np.arange(count) * 12.6 / rate))
    if cutoff_hz is None:
        return audio
    spectrum = np.fft.rfft(audio)
    return np.fft.irfft(spectrum * (np.fft.rfftfreq(count, 1 / rate) < cutoff_hz), count)


def measured(folder: Path, channels: list[np.ndarray], rate: int = RATE, subtype: str = "PCM_24") -> Measurement:
    soundfile.write(folder / "a.wav", np.stack(channels, axis=1), rate, subtype)
    return measure_file(folder / "a.wav")


def said_in_json(measurement: Measurement) -> dict:
    said: dict = json.loads(json.dumps(measurement.as_json(), allow_nan=False))
    return said


def test_each_channel_has_its_own_edges_in_time(tmp_path: Path) -> None:
    guest = np.concatenate([noise(9, 4000), noise(6, 8000)])
    measurement = measured(tmp_path, [noise(15, 16_000), guest])
    left, right = measurement.heard.edges
    assert [edge.hz for edge in left] == pytest.approx([16_000], rel=0.05)
    assert [edge.hz for edge in right] == pytest.approx([4000, 8000], rel=0.05)
    assert right[0].end_s == right[1].begin_s == pytest.approx(9, abs=1.1) and right[1].end_s == 15
    assert measurement.to_restore(0) == measurement.restored[0]
    lines = table(measurement).splitlines()
    at = right[1].begin_s
    assert lines[0].endswith("a.wav: 0:15.0, 44.1 kHz, 2 channels, WAV PCM_24")
    assert lines[2].split()[0] == "left" and lines[2].endswith(f"{left[0].hz / 1000:.1f} kHz")
    assert f"0:0{int(at * 10) / 10} - 0:15.0" in lines[4] and lines[4].endswith(f"above {right[1].hz / 1000:.1f} kHz")
    # Columns stand below each other.
    assert len({line.index(" kHz") for line in lines[3:5]}) == 1 and len(lines) == 5


def test_a_full_band_misses_nothing_and_loses_nothing(tmp_path: Path) -> None:
    measurement = measured(tmp_path, [noise(4)])
    assert measurement.to_restore(0) == [] and measurement.heard.lost(0, RATE) == []
    assert "full band (22.05 kHz)  nothing" in table(measurement)


def test_ultrasound_is_said_to_be_lost_and_a_narrow_recording_has_none(tmp_path: Path) -> None:
    wide = measured(tmp_path, [noise(4, 30_000, rate=96_000)], 96_000)
    assert wide.to_restore(0) == [] and wide.heard.lost(0, RATE)[0].hz == pytest.approx(30_000, rel=0.05)
    (remark,) = table(wide).splitlines()[3:]
    top = f"{wide.heard.lost(0, RATE)[0].hz / 1000:.1f}"
    assert remark == f"  Mono: what lies above 22.05 kHz (up to {top} kHz) would be lost."
    narrow = measured(tmp_path, [noise(4, 8000, rate=96_000)], 96_000)
    assert narrow.heard.lost(0, RATE) == [] and narrow.to_restore(0)[0].hz == pytest.approx(8000, rel=0.05)
    assert "lost" not in table(narrow)


def test_a_low_rate_is_full_band_and_restored_above(tmp_path: Path) -> None:
    measurement = measured(tmp_path, [noise(4, rate=16_000)], 16_000)
    assert measurement.heard.edges[0][0].hz == 8000 and 7000 < measurement.to_restore(0)[0].hz < 8000


def test_clipping_is_counted_and_placed(tmp_path: Path) -> None:
    audio = noise(4, 8000)
    audio[RATE : RATE + 5], audio[2 * RATE : 2 * RATE + 3] = 1, -1
    measurement = measured(tmp_path, [audio, noise(4, 8000)], subtype="PCM_16")
    assert measurement.heard.levels[0].clipped == Places(2, 8, 1.0) and measurement.heard.levels[1].clipped == Places()
    assert table(measurement).splitlines()[-1] == "  Left: clipped in 2 places (8 samples), first at 0:00:01.000."


def test_faults_are_said_a_line_each(tmp_path: Path) -> None:
    audio = 0.02 + noise(5, 8000)
    audio[100], audio[RATE : RATE + 2], audio[2 * RATE : 2 * RATE + 9] = 1.5, np.nan, np.inf
    audio[3 * RATE : 4 * RATE + 441] = 0
    lines = table(measured(tmp_path, [audio], subtype="FLOAT")).splitlines()[3:]
    assert lines[0] == "  Mono: above full scale at 0:00:00.002 (1 sample)."
    assert lines[1] == "  Mono: digital silence at 0:00:03.000 (44541 samples)."
    assert lines[2] == "  Mono: NaN or infinity in 2 places (11 samples), first at 0:00:01.000."
    assert lines[3].startswith("  Mono: DC offset of +0.0") and len(lines) == 4


def test_silence_has_no_level_and_nothing_to_restore(tmp_path: Path) -> None:
    measurement = measured(tmp_path, [noise(3, rate=8000), np.zeros(24_000)], 8000)
    assert measurement.to_restore(0) and measurement.to_restore(1) == []
    (line,) = [line for line in table(measurement).splitlines() if "right" in line]
    assert line.split() == ["right", "-", "-", "0:00.0", "-", "0:03.0", "silent", "nothing"]
    channel = said_in_json(measurement)["channels"][1]
    assert channel["rms_dbfs"] is None and channel["peak_dbfs"] is None and channel["restored"] == []
    assert channel["silence"] == {"places": 1, "samples": 24_000, "first_s": 0.0}


def test_the_schema_is_stable(tmp_path: Path) -> None:
    said = said_in_json(measured(tmp_path, [noise(3, 8000)]))
    assert list(said) == [
        "path", "container", "encoding", "sample_rate", "samples", "duration_s", "notes", "channels",
    ]  # fmt: skip
    (channel,) = said["channels"]
    assert list(channel) == [
        "name", "rms_dbfs", "peak_dbfs", "dc", "clipped", "above_full_scale", "silence", "not_finite", "content",
        "restored", "lost",
    ]  # fmt: skip
    assert [*channel["content"][0]] == ["begin_s", "end_s", "ends_hz"]
    assert [*channel["restored"][0]] == ["begin_s", "end_s", "above_hz"] and channel["lost"] == []
    assert (said["sample_rate"], said["samples"], said["duration_s"]) == (RATE, 3 * RATE, 3.0)


def test_many_stretches_are_cut_short_in_words_alone(tmp_path: Path) -> None:
    measurement = measured(tmp_path, [noise(1)])
    stretches = [Edge(i, i + 1, 4000 + 4000 * (i % 2)) for i in range(12)]
    many = Measurement(measurement.info, Heard([stretches], measurement.heard.levels), [stretches])
    assert "and 4 more stretches, which json=FILE lists" in table(many)
    assert len(said_in_json(many)["channels"][0]["content"]) == 12
    assert restoring([stretches], RATE).endswith("and so on in 9 more stretches")


def test_a_picture_is_only_computed_when_it_is_asked_for_and_progress_is_told(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(30, 8000), RATE)
    told: list[tuple[float, float]] = []
    assert measure_file(tmp_path / "a.wav", progress=lambda *done: told.append(done)).spectrogram is None
    assert [done for done, _ in told] == sorted({done for done, _ in told}) and told[-1] == (30.0, 30.0)
    spectrogram = measure_file(tmp_path / "a.wav", picture=True).spectrogram
    assert spectrogram is not None and spectrogram.shape == (1, 1000, 1025)


def test_a_file_without_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    with pytest.raises(AudioError, match="is empty"):
        measure_file(tmp_path / "a.wav")


# -- one line --------------------------------------------------------------------------------------------------------


def loud(peak: float = 0.7, clipped: Places = Places(), above: Places = Places()) -> Levels:  # noqa: B008
    return Levels(peak / 2, peak, 0.0, clipped, above, Places(), Places())


FULL = 22_050.0
LONG = [Edge(0, 60, 4000)]


@pytest.mark.parametrize(
    ("edges", "said"),
    [
        ([LONG], "restored above 4.0 kHz"),
        ([LONG, LONG], "restored above 4.0 kHz"),
        ([LONG, [Edge(0, 38, FULL), Edge(38, 60, 8000)]],
         "restored left above 4.0 kHz; right above 8.0 kHz from 0:38.0"),
        ([[Edge(0, 38, 4000), Edge(38, 60, 16_000)]],
         "restored above 4.0 kHz to 0:38.0, above 16.0 kHz from 0:38.0"),
        ([[Edge(0, 10, FULL), Edge(10, 20, 8000), Edge(20, 60, FULL)]], "restored above 8.0 kHz from 0:10.0 to 0:20.0"),
        ([LONG, [Edge(0, 60, FULL)]], "restored left above 4.0 kHz; right nothing"),
        ([[Edge(0, 60, FULL)]], "nothing missing, only resampled"),
    ],
)  # fmt: skip
def test_a_line_names_channels_and_times_where_they_differ(edges: list[list[Edge]], said: str) -> None:
    assert restoring(edges, RATE) == said
    assert restoring(edges, RATE, Heard(edges, [loud()] * len(edges))) == f"{said}; peak -3.1 dBFS"


def line(edges: list[list[Edge]], levels: list[Levels]) -> str:
    return restoring(edges, RATE, Heard(edges, levels))


def test_a_line_tells_of_clipping_in_any_channel_of_silence_and_of_what_is_lost() -> None:
    levels = [loud(clipped=Places(4, 40, 20.0)), loud(1.0, clipped=Places(10, 90, 12.5))]
    assert line([LONG, LONG], levels) == "restored above 4.0 kHz; peak 0.0 dBFS, clipped at 0:12.5 (14 places)"
    over = line([LONG], [loud(1.5, above=Places(1, 2, 3.0))])
    assert over == "restored above 4.0 kHz; peak +3.5 dBFS, above full scale at 0:03.0 (1 place)"
    silent = loud(0.0)
    assert line([LONG, LONG], [loud(), silent]) == "restored left above 4.0 kHz; right silent; peak -3.1 dBFS"
    assert line([LONG, LONG], [silent, silent]) == "silent, only resampled"
    ultrasound = Heard([[Edge(0, 60, 30_000)]], [loud()])
    assert restoring([[Edge(0, 60, FULL)]], RATE, ultrasound) == (
        "nothing missing, only resampled; lost above 22.05 kHz (up to 30.0 kHz); peak -3.1 dBFS"
    )
