"""How long `saga-sr enhance` takes from its start to its end on a clip of 4 s, beside a program that imports torch.

python benchmarks/startup.py [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import saga_sr.inference.schema  # noqa: F401  # of what is composed
from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.core.config import CONF_DIR
from saga_sr.files.writing import write_audio
from saga_sr.packages.package import build, save_package

RATE, SECONDS = 44_100, 4


def write_model(folder: Path) -> None:
    """A package of the demo's size and settings, untrained."""
    with initialize_config_dir(CONF_DIR, version_base="1.3"):
        config = OmegaConf.to_container(compose("train", ["experiment=demo"]).model, resolve=True)
    assert isinstance(config, dict)
    save_package(build(config), config, folder, "# Untrained\n")


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds of the clock and of the processors that `command` takes."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, said
    return time.perf_counter() - begin, used.ru_utime + used.ru_stime


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        model, source, target = (str(Path(folder) / name) for name in ("model", "in.flac", "out.flac"))
        write_model(Path(model))
        noise = 0.1 * torch.randn(1, 1, SECONDS * RATE, generator=torch.Generator().manual_seed(0))
        write_audio(source, degrade(noise, [LowPassFilter("butterworth", 10, 4000.0)], RATE)[0], RATE)
        python = sys.executable
        commands = {
            "saga-sr enhance": [
                python,
                "-m",
                "saga_sr",
                "enhance",
                f"model={model}",
                f"input={source}",
                f"output={target}",
            ],
            "import torch": [python, "-c", "import torch"],
            "import saga_sr": [python, "-c", "import saga_sr"],
        }
        measured = {name: [timed(command) for _ in range(rounds + 1)][1:] for name, command in commands.items()}
    print("| command | s of the clock | s of the processors |\n|---|---|---|")
    for name, runs in measured.items():
        wall, used = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"| {name} | {wall:.2f} | {used:.2f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
