"""What memory and what room on the disk long recordings take, each in a whole command.

python benchmarks/long_files.py MODEL_HZ MINUTES...
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from files import write_model
from scipy.signal import butter, sosfilt

RATE, EDGE_HZ = 44_100, 3000


def write_recording(path: Path, minutes: int) -> Path:
    """Stereo that swings and ends at an edge, a minute of it again and again."""
    time_s, generator = np.arange(60 * RATE) / RATE, np.random.default_rng(0)
    low_pass = butter(16, EDGE_HZ, fs=RATE, output="sos")
    noise = sosfilt(low_pass, 0.1 * generator.standard_normal((60 * RATE, 2)), axis=0)
    tones = 0.2 * np.sin(2 * np.pi * np.outer(time_s, [220, 330])) * (1 + 0.5 * np.sin(4 * time_s))[:, None]
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for _ in range(minutes):
            file.write((noise + tones).astype(np.float32))
    return path


def watched(*words: str) -> tuple[float, float, float]:
    """MB of memory that a command holds at most, GB that it has on the disk without a name, and seconds."""
    begin, memory_kb, aside = time.perf_counter(), 0, 0
    process = subprocess.Popen([sys.executable, "-m", "saga_sr", *words], stderr=subprocess.DEVNULL)
    here = Path(f"/proc/{process.pid}")
    while process.poll() is None:
        try:
            memory_kb = int((here / "status").read_text().split("VmHWM:")[1].split()[0])
            nameless = [file for file in (here / "fd").iterdir() if str(file.readlink()).endswith(" (deleted)")]
            aside = max([aside, *(os.stat(file).st_size for file in nameless)])  # noqa: PTH116 - of what it leads to
        except (OSError, IndexError):
            pass  # it has ended, or has closed the file
        time.sleep(0.1)
    if process.returncode:
        raise RuntimeError(f"saga-sr {' '.join(words)} failed.")
    return memory_kb / 1024, aside / 1e9, time.perf_counter() - begin


def main(model_hz: int, lengths: list[int]) -> None:
    print("| minutes | memory (MB) | aside on the disk (GB) | s |\n|---|---|---|---|", flush=True)
    for minutes in lengths:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            model = write_model(folder / "model", f"codec.sample_rate={model_hz}")
            source = write_recording(folder / "in.flac", minutes)
            memory, aside, seconds = watched("enhance", str(source), str(folder / "out.flac"), f"model={model}")
        print(f"| {minutes} | {memory:.0f} | {aside:.2f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), [int(word) for word in sys.argv[2:]])
