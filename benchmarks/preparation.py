"""Preparation against a plain loop over files, and training from latents against training from audio.

    python benchmarks/preparation.py AUDIO_FOLDER
    python benchmarks/preparation.py --per-core AUDIO_FOLDER

The plain loop does the same to each clip, with the same functions, one clip and one version at a time, in one process
that may use all cores: read, resample, low-pass, encode, save. Both are started as programs, and end with files on the
disk. The second command counts the time that a core works, which other work on the machine hardly changes, and what it
means for large corpora.
"""

from __future__ import annotations

import csv
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from omegaconf import OmegaConf
from tqdm import tqdm

from saga_sr.audio.degradation import LowPassDegradation
from saga_sr.audio.resample import resample
from saga_sr.audio.spectrum import rolloffs_hz
from saga_sr.codecs.mdct import MDCT
from saga_sr.core.random_numbers import seeded
from saga_sr.files.finding import find_audio
from saga_sr.files.reading import AudioReader, inspect_audio
from saga_sr.preparation.part import prepare_part
from saga_sr.preparation.plan import TRAIN, Settings, read_clips
from saga_sr.preparation.run import the_plan

TURNS = 5
RATE, LENGTH, VERSIONS = 44_100, 262_144, 2
STEPS = 60
PLAIN_LOOP, PER_CORE = "--plain-loop", "--per-core"
# What is asked for: hours of audio, in days.
CORPUS_H, DAYS = 100_000, 7
# In a part of the measured preparation.
CLIPS = 4


def plain_loop(folder: Path, output: Path) -> None:
    codec, low_pass = MDCT(RATE, 512, 0.5), LowPassDegradation(RATE)
    count = 0
    for path in tqdm(find_audio(folder), desc="Plain loop", leave=False):
        with AudioReader(path) as reader:
            audio = resample(reader.read(0, reader.info.frames), reader.info.sample_rate, RATE)
        audio = audio.mean(dim=0, keepdim=True)
        for clip in audio.split(LENGTH, dim=1):
            hr = clip[None]
            made = {"hr": codec.analyse(hr).half(), "rolloff": rolloffs_hz(hr, RATE)}
            for version in range(VERSIONS):
                lr = low_pass(hr, seeded([count])).lr
                made[f"lr{version}"] = codec.analyse(lr).half()
                made[f"rolloff{version}"] = rolloffs_hz(lr, RATE)
                count += 1
            torch.save(made, output / f"{count}.pt")


def preparation(folder: Path, work: Path) -> None:
    hours = sum(inspect_audio(path).duration_s for path in find_audio(folder)) / 3600
    spent: dict[str, list[float]] = {"plain loop": [], "prepare": []}
    between: list[tuple[float, float]] = []
    for turn in range(TURNS):
        for name in spent:
            output = work / f"{name}-{turn}"
            output.mkdir()
            ours = [
                "-m",
                "saga_sr",
                "prepare",
                f"data.path={folder}",
                f"output={output}",
                f"degradations={VERSIONS}",
            ]
            command = ours if name == "prepare" else [__file__, PLAIN_LOOP, folder, output]
            begin = time.perf_counter()
            started = time.time()
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            spent[name].append(time.perf_counter() - begin)
            if name == "prepare":
                between.append(working(output, started))
            if (name, turn) != ("prepare", TURNS - 1):
                shutil.rmtree(output)
    ratio = statistics.median(a / b for a, b in zip(spent["plain loop"], spent["prepare"], strict=True))
    print(f"{hours:.2f} h of audio, {len(find_audio(folder))} files, {VERSIONS} versions of each clip")
    print("| | s | hours of audio per hour |\n|---|---|---|")
    for name, seconds in spent.items():
        middle = statistics.median(seconds)
        print(f"| {name} | {middle:.1f} | {hours / middle * 3600:.0f} |")
    print(f"ratio {ratio:.2f}")
    first, last = (statistics.median(values) for values in zip(*between, strict=True))
    print(f"the first part was there after {first:.1f} s, the last after {last:.1f} s")


def per_core(folder: Path, work: Path) -> None:
    """Time of a core for an hour of audio, without what a program takes to start."""
    settings = Settings(
        codec={"_target_": "saga_sr.codecs.mdct.MDCT", "sample_rate": RATE, "latent_dim": 512, "exponent": 0.5},
        degradation={"_target_": "saga_sr.audio.degradation.LowPassDegradation", "sample_rate": RATE},
        conditions={"rolloff": "saga_sr.conditioning.rolloff.RolloffCondition"}, sample_rate=RATE, hop_length=512,
        num_samples=LENGTH, degradations=VERSIONS, dtype="float16", validation_fraction=0.1, shard_mb=64, seed=0,
    )  # fmt: skip
    config = OmegaConf.create({"data": {"path": str(folder), "validation_path": None, "captions": None}})
    plan = the_plan(config, settings, work, CLIPS)
    first, *parts = [part for part in plan.parts if part.startswith(TRAIN)]
    prepare_part(first, output=work, settings=settings, device="cpu")
    shares, audio = [], 0.0
    for part in parts:
        begin = time.process_time()
        prepare_part(part, output=work, settings=settings, device="cpu")
        spent = time.process_time() - begin
        length = sum(clip.frames / clip.sample_rate for clip in read_clips(work, part))
        shares.append(spent / length)
        audio += length
    share = statistics.median(shares)
    low, _, high = statistics.quantiles(shares)
    written = sum((work / TRAIN / f"{part}.bin").stat().st_size for part in parts) / audio
    lengths = sum(inspect_audio(path).duration_s for path in find_audio(folder))
    read = sum(path.stat().st_size for path in find_audio(folder)) / lengths
    print(f"{audio / 60:.1f} min of audio in {len(parts)} parts, {VERSIONS} versions of each clip, codec mdct")
    print(f"{share * 3600:.1f} s of a core for an hour ({low * 3600:.1f} to {high * 3600:.1f} in half of the parts)")
    print(f"reads {read / 1e3:.0f} kB and writes {written / 1e3:.0f} kB for a second of audio")
    cores, rate = CORPUS_H / (DAYS * 24) * share, CORPUS_H * 3600 / (DAYS * 86_400)
    traffic = f"{rate * read / 1e6:.0f} MB/s in, {rate * written / 1e6:.0f} MB/s out"
    stored = CORPUS_H * 3600 * written / 1e12
    print(f"{CORPUS_H} h in {DAYS} days: {cores:.0f} cores, {traffic}, {stored:.1f} TB of shards")


def working(output: Path, started: float) -> tuple[float, float]:
    """Seconds until the first part was there, and the last."""
    times = sorted(path.stat().st_mtime - started for path in (output / "job/done").iterdir())
    return times[0], times[-1]


def training(folder: Path, latents: Path, work: Path) -> None:
    """The same small model from both, in turns; figures of the second half of each run."""
    sources = {
        "audio": ["data=folder", f"data.path={folder}"],
        "latents": ["data=latents", f"data.path={latents}"],
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sources}
    for turn in range(TURNS):
        for name, overrides in sources.items():
            run = work / f"train-{name}-{turn}"
            command = [
                "train.py", *overrides, f"hydra.run.dir={run}", f"trainer.max_steps={STEPS}", "logger=csv", "ema=none",
                "trainer.val_check_interval=1000", "statistics_clips=8", "data.validation_size=1", "data.batch_size=16",
            ]  # fmt: skip
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            with (run / "csv/metrics.csv").open() as file:
                rows = [row for row in csv.DictReader(file) if row.get("system/samples_per_s")][STEPS // 20 :]
            found[name].append((
                statistics.median(float(row["system/samples_per_s"]) for row in rows),
                statistics.mean(float(row["system/waiting_for_data"]) for row in rows),
            ))  # fmt: skip
    print("| training from | samples/s | waiting for data |\n|---|---|---|")
    for name, figures in found.items():
        speed, waiting = (statistics.median(values) for values in zip(*figures, strict=True))
        print(f"| {name} | {speed:.1f} | {100 * waiting:.1f} % |")
    pairs = zip(found["latents"], found["audio"], strict=True)
    print(f"ratio {statistics.median(a[0] / b[0] for a, b in pairs):.2f}")


if __name__ == "__main__":
    if sys.argv[1] == PLAIN_LOOP:
        plain_loop(*map(Path, sys.argv[2:]))
        sys.exit()
    source = Path(sys.argv[-1]).absolute()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        if sys.argv[1] == PER_CORE:
            per_core(source, place)
            sys.exit()
        preparation(source, place)
        training(source, place / f"prepare-{TURNS - 1}", place)
