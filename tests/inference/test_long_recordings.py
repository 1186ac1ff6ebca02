"""Memory does not grow with a recording's length, but by what its measurement keeps of each second."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import soundfile
from conftest import awake, model_config
from programs import Running
from recordings import sound
from scipy.signal import butter, sosfilt

from saga_sr.packages.package import build, save_package

pytestmark = pytest.mark.slow
RATE, MODEL_RATE, EDGE_HZ = 44_100, 8000, 3000
# Ten minutes of stereo are 212 MB as floats; what they take more than one wavers by 50 MB. 10 h: benchmarks/files.md.
MOST_MORE_MB = 100


def recorded(path: Path, minutes: int) -> Path:
    """Stereo that ends at an edge."""
    minute = sosfilt(butter(16, EDGE_HZ, fs=RATE, output="sos"), sound(0, 60 * RATE, 2, RATE), axis=0)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for _ in range(minutes):
            file.write(minute)
    return path


def peak_mb(*words: str) -> float:
    """The most memory that a command holds."""
    running, peak = Running("-m", "saga_sr", *words), 0
    while running.poll() is None:
        status = Path(f"/proc/{running.pid}/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) if "VmHWM:" in status else peak
        time.sleep(0.05)
    assert running.wait() == 0
    return peak / 1024


def test_ten_minutes_take_little_more_memory_than_one(tmp_path: Path) -> None:
    # What it restores costs time and is the same in each chunk.
    config = model_config(f"codec.sample_rate={MODEL_RATE}")
    model = save_package(awake(build(config)), config, tmp_path / "model", "# A card\n")
    peaks_mb = []
    for minutes in (1, 10):
        source, target = recorded(tmp_path / f"{minutes}.flac", minutes), tmp_path / f"{minutes} out.flac"
        peaks_mb.append(peak_mb("enhance", str(source), str(target), f"model={model}", "steps=1"))
        assert soundfile.info(target).frames == minutes * 60 * MODEL_RATE
    one_mb, ten_mb = peaks_mb
    assert ten_mb < one_mb + MOST_MORE_MB
