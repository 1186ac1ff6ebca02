"""What batches of files cost beside restoring: start-up, plans of 10,000 files, and memory over 1,000 files.

python benchmarks/files.py
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import saga_sr.inference.schema  # noqa: F401  # of what is composed
from saga_sr.core.config import CONF_DIR
from saga_sr.files.writing import write_audio
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.jobs import plan_files
from saga_sr.inference.record import Content, Made, Recipe, Record
from saga_sr.packages.package import build, load_package, save_package

RATE = 8000
PLANNED, RESTORED, SECONDS = 10_000, 1000, 1.0
TINY = ["codec.latent_dim=64", "backbone.width=32", "backbone.depth=1", "backbone.heads=2", "backbone.kv_heads=1"]


def write_model(folder: Path, *changes: str) -> Path:
    """A tiny package, untrained: what is measured is all else."""
    with initialize_config_dir(CONF_DIR, version_base="1.3"):
        config = OmegaConf.to_container(compose("train", [*TINY, "sampler.steps=1", *changes]).model, resolve=True)
    assert isinstance(config, dict)
    return save_package(build(config), config, folder, "# Untrained\n")


def write_recordings(folder: Path, count: int) -> None:
    """`count` copies of a second of noise, 100 in a folder."""
    write_audio(folder / "0/0.wav", 0.1 * torch.randn(1, int(SECONDS * RATE)), RATE)
    content = (folder / "0/0.wav").read_bytes()
    for i in range(1, count):
        path = folder / f"{i // 100}/{i}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


def pretend(source: Path, output: Path, model: Path) -> None:
    """Have `output` look as if all of `source` had been enhanced there."""
    command = ["enhance", str(source / "0/0.wav"), f"{output}/", f"model={model}"]
    subprocess.run([sys.executable, "-m", "saga_sr", *command], check=True, capture_output=True)
    record = Record.read(output)
    recipe = next(iter(record.made.values())).recipe
    lines = []
    for job in plan_files([source], output, "flac").jobs:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        job.target.write_bytes(b"-")
        lines.append({"output": record.key(job.target), **as_json(Content.of(job.source), recipe)})
    with record.path.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def as_json(source: Content, recipe: Recipe) -> dict[str, object]:
    """What a record says of a result."""
    made = Made(source, recipe, SECONDS, [[{"begin_s": 0.0, "end_s": SECONDS, "hz": 3720.0}]], [], "0")
    return {**vars(made), "source": vars(source), "recipe": vars(recipe)}


def timed(*words: str) -> tuple[float, str]:
    """Seconds that a command takes, and its last line."""
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "saga_sr", *words], capture_output=True, text=True, check=True)
    return time.perf_counter() - begin, done.stderr.splitlines()[-1]


def until_first_result(source: Path, output: Path, model: Path) -> float:
    """Seconds until the first of many results is there."""
    words = ["enhance", str(source), f"{output}/", f"model={model}"]
    begin = time.perf_counter()
    running = subprocess.Popen([sys.executable, "-m", "saga_sr", *words], stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    while " -> " not in running.stderr.readline():
        pass
    seconds = time.perf_counter() - begin
    running.kill()
    running.wait()
    return seconds


def memory_mb() -> float:
    """What this process holds."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def memory_over_files(source: Path, output: Path, model: Path) -> list[tuple[int, float]]:
    """Memory in MB after some and after all files."""
    enhancer = Enhancer(load_package(model))
    held = []
    for i, job in enumerate(plan_files([source], output, "wav").jobs[:RESTORED], 1):
        enhancer.file(job.source, job.target)
        if i in (10, 100, 250, 500, 750, 1000):
            held.append((i, memory_mb()))
    return held


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, source = write_model(folder / "model"), folder / "in"
        write_recordings(source, PLANNED)
        print("| what | s |\n|---|---|")
        single, _ = timed("enhance", str(source / "0/0.wav"), str(folder / "one.wav"), f"model={model}")
        print(f"| one file of 1 s, whole command | {single:.2f} |")
        begin = time.perf_counter()
        plan_files([source], folder / "out", "flac")
        print(f"| the plan of {PLANNED:,} files | {time.perf_counter() - begin:.2f} |")
        print(f"| {PLANNED:,} files until the first result | {until_first_result(source, folder / 'new', model):.2f} |")
        pretend(source, folder / "out", model)
        again, said = timed("enhance", str(source), f"{folder}/out/", f"model={model}")
        print(f"| {PLANNED:,} files, all there already, whole command | {again:.2f} |\n\n{said}\n")
        print("| files restored | memory (MB) |\n|---|---|")
        for count, held in memory_over_files(source, folder / "restored", model):
            print(f"| {count} | {held:.0f} |")


if __name__ == "__main__":
    main()
