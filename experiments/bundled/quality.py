"""How well a model restores the validation list, beside its input and band replication.

python experiments/bundled/quality.py MODEL CORPUS [--clips N] [--visqol [N]] [--out FOLDER]

Real clips of each kind whose content reaches 18 kHz, the same for every model, are cut at 4 and 8 kHz or coded as MP3,
and restored by each preset. FOLDER (`outputs/quality`) gets `quality.md`, `quality.csv` and pictures of the worst.

Args:
    MODEL: a package, or what else `model=` takes.
    CORPUS: the folder that `corpus.py` made.
    --clips: of each kind, 8 where left out.
    --visqol: also ViSQOL (audio, 48 kHz; `pip install 'saga-sr[metrics]'`) of so many clips of each kind, a second for
        each of 10 results of a clip; 2 where left out.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import torch
from torch import Tensor

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.resample import resample
from saga_sr.core.atomic_file import write_atomically
from saga_sr.degradations.lossy_coding import CODERS, coded
from saga_sr.evaluation.baselines import band_replication
from saga_sr.evaluation.comparison import LOW_PASS, aligned
from saga_sr.evaluation.metrics import measure
from saga_sr.evaluation.perceptual import LISTENERS, NotDefined, judged
from saga_sr.files.reading import inspect_audio, read_audio
from saga_sr.inference.enhancer import Enhancer
from saga_sr.packages.load import load_model
from saga_sr.pages.spectrograms import spectrogram_figure

SECONDS, LEAST_EDGE_HZ, SEED = 4.0, 18_000.0, 0
# MP3 of two channels, each of which has half of it.
CUTOFFS_HZ, MP3_KBPS = (4000, 8000), (64, 96)
PRESETS = ("fast", "balanced", "best")
METRICS = {
    "lsd_hf": "LSD-HF",
    "lsd_hf_audible": "audible LSD-HF",
    "energy_hf_db": "HF energy (dB, median)",
    "onset_hf_db": "onset (dB)",
    "visqol": "ViSQOL",
}
MEDIANS, WORST = {"energy_hf_db"}, 4


@dataclass(frozen=True)
class Clip:
    """A reference [1, time] whose content ends at `edge_hz`."""

    kind: str
    name: str
    audio: Tensor
    edge_hz: float


@dataclass(frozen=True)
class Row:
    """The figures of one method on a clip that was degraded in one way."""

    clip: Clip
    way: str
    method: str
    figures: dict[str, float]


def choose(corpus: Path, count: int, rate: int) -> list[Clip]:
    """`count` clips of each kind, always the same: of each package in turn, and of few files several."""
    with (corpus / "validation.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if float(row["edge_hz"]) >= LEAST_EDGE_HZ]
    rows = random.Random(SEED).sample(sorted(rows, key=lambda row: row["path"]), len(rows))
    chosen = []
    for kind in sorted({Path(row["path"]).parent.name for row in rows}):
        by_package: dict[str, list[dict[str, str]]] = {}
        for row in rows:
            if Path(row["path"]).parent.name == kind:
                by_package.setdefault(Path(row["path"]).name.rsplit("_", 1)[0], []).append(row)
        mixed = [row for turn in zip_longest(*by_package.values()) for row in turn if row is not None]
        for i in range(count):
            chosen.append(load(corpus, kind, mixed[i % len(mixed)], f"{SEED} {i}", rate))
    return chosen


def load(corpus: Path, kind: str, row: dict[str, str], seed: str, rate: int) -> Clip:
    """The loudest of three stretches of a file, at most 4 s each, mixed to mono."""
    path = corpus / row["path"]
    info = inspect_audio(path)
    frames, draws = min(round(SECONDS * info.sample_rate), info.frames), random.Random(seed)
    starts = [draws.randint(0, info.frames - frames) for _ in range(3)]
    stretches = {start: read_audio(path, start, frames)[0].mean(dim=0, keepdim=True) for start in starts}
    start, audio = max(stretches.items(), key=lambda item: float(item[1].square().mean()))
    name = f"{path.stem} at {start / info.sample_rate:.1f} s"
    return Clip(kind, name, resample(audio, info.sample_rate, rate), float(row["edge_hz"]))


def degraded(clip: Clip, rate: int) -> dict[str, tuple[Tensor, float]]:
    """The clip [1, time] in each way, and where its content ends then."""
    ways = {
        f"{hz / 1000:g} kHz": (degrade(clip.audio[None], [LowPassFilter(*LOW_PASS, float(hz))], rate)[0], float(hz))
        for hz in CUTOFFS_HZ
    }
    for setting in CODERS["mp3"].settings:
        if 2 * setting.kbps in MP3_KBPS:
            ways[f"MP3 {2 * setting.kbps} kb/s"] = coded(clip.audio, CODERS["mp3"], setting, rate), setting.edge_hz
    return ways


def methods(enhancer: Enhancer) -> dict[str, Callable[[Tensor, float], Tensor]]:
    """Each method by name: [1, time] whose content ends at some Hz -> [1, time]."""
    rate = enhancer.sample_rate

    def by(preset: str) -> Callable[[Tensor, float], Tensor]:
        # What a user gets: edges are measured.
        return lambda audio, hz: enhancer(audio, rate, preset=preset)[0]

    return {
        "input": lambda audio, hz: audio,
        "band replication": lambda audio, hz: band_replication(audio[None], torch.tensor([hz]), rate)[0],
        **{preset: by(preset) for preset in PRESETS},
    }


def figures(output: Tensor, clip: Clip, cutoff_hz: float, rate: int) -> dict[str, float]:
    """The metrics of one output, up to the reference's own edge."""
    cutoff, edge = torch.tensor([cutoff_hz]), torch.tensor([max(clip.edge_hz, cutoff_hz)])
    found = measure(output[None], clip.audio[None], cutoff, rate, edge)
    return {name: float(found[name]) for name in METRICS if name in found}


def visqol(output: Tensor, reference: Tensor, rate: int) -> float | None:
    """ViSQOL of two clips [1, time], 4.73 the best; None where it is not defined."""
    try:
        return judged(LISTENERS["visqol"], output, reference, rate)
    except NotDefined:
        return None


def compare(enhancer: Enhancer, clips: Sequence[Clip], listened: int) -> list[Row]:
    """Every method on every clip in every way, with ViSQOL of the first `listened` clips of each kind."""
    rate, rows, seen = enhancer.sample_rate, [], dict.fromkeys((clip.kind for clip in clips), 0)
    for clip in clips:
        seen[clip.kind] += 1
        for way, (audio, hz) in degraded(clip, rate).items():
            for method, restore in methods(enhancer).items():
                output = restore(audio, hz)
                found = figures(output, clip, hz, rate)
                if seen[clip.kind] <= listened and "kHz" in way:
                    opinion = visqol(output, clip.audio, rate)
                    found |= {} if opinion is None else {"visqol": opinion}
                rows.append(Row(clip, way, method, found))
        print(f"{clip.kind} {clip.name}", flush=True)
    return rows


def average(rows: Iterable[Row], metric: str) -> float | None:
    """The mean, or median, of a metric; None where it was not measured."""
    values = [row.figures[metric] for row in rows if metric in row.figures]
    return (statistics.median if metric in MEDIANS else statistics.fmean)(values) if values else None


def table(rows: Sequence[Row]) -> str:
    """A line for each way, kind and method, with LSD-HF's ratios to band replication."""
    lines, shown = [], [metric for metric in METRICS if any(metric in row.figures for row in rows)]
    for way in dict.fromkeys(row.way for row in rows):
        for kind in dict.fromkeys(row.clip.kind for row in rows):
            for method in dict.fromkeys(row.method for row in rows):
                mine = [row for row in rows if (row.way, row.clip.kind, row.method) == (way, kind, method)]
                means = [average(mine, metric) for metric in shown]
                ratios = [ratio(rows, way, kind, method, metric) for metric in ("lsd_hf", "lsd_hf_audible")]
                lines.append([way, kind, method, *map(cell, [*means, *ratios])])
    head = ["way", "kind", "method", *(METRICS[metric] for metric in shown), "LSD-HF x", "audible x"]
    return aligned(head, lines)


def ratio(rows: Sequence[Row], way: str, kind: str, method: str, metric: str, other: str = "band replication") -> float:
    """A mean over that of another method."""
    means = []
    for name in (method, other):
        mean = average([row for row in rows if (row.way, row.clip.kind, row.method) == (way, kind, name)], metric)
        assert mean is not None
        means.append(mean)
    return means[0] / max(means[1], 1e-9)


def cell(value: float | None) -> str:
    """A figure of a table."""
    return "" if value is None else f"{value:.2f}"


def summary(rows: Sequence[Row]) -> str:
    """Of each preset, of all kinds: ratios to band replication and energy at 4 and 8 kHz, gain over MP3 inputs."""
    kinds, ways = list(dict.fromkeys(row.clip.kind for row in rows)), [f"{hz / 1000:g} kHz" for hz in CUTOFFS_HZ]
    lines = []
    for preset in PRESETS:
        line = [preset]
        for metric in ("lsd_hf", "lsd_hf_audible"):
            ratios = {(way, kind): ratio(rows, way, kind, preset, metric) for way in ways for kind in kinds}
            worst = max(ratios, key=lambda key: ratios[key])
            line += [cell(statistics.fmean(ratios.values())), f"{ratios[worst]:.2f} ({worst[1]}, {worst[0]})"]
        energies = [
            average(
                [row for row in rows if (row.way, row.clip.kind, row.method) == (way, kind, preset)], "energy_hf_db"
            )
            for way in ways
            for kind in kinds
        ]
        line.append(f"{min(e or 0 for e in energies):+.1f} to {max(e or 0 for e in energies):+.1f}")
        left = [ratio(rows, f"MP3 {kbps} kb/s", kind, preset, "lsd_hf", "input") for kbps in MP3_KBPS for kind in kinds]
        line.append(f"{100 * (1 - max(left)):.0f} to {100 * (1 - min(left)):.0f} %")
        lines.append(line)
    head = ["preset", "LSD-HF x, mean", "worst", "audible x, mean", "worst", "HF energy (dB)", "MP3: LSD-HF less by"]
    return aligned(head, lines)


def worst_clips(rows: Sequence[Row]) -> list[Row]:
    """The rows of `balanced` at 4 and 8 kHz of greatest audible distance over band replication, one a clip."""
    replicated = {(row.clip.name, row.way): row.figures for row in rows if row.method == "band replication"}

    def over(row: Row) -> float:
        return row.figures["lsd_hf_audible"] / max(replicated[row.clip.name, row.way]["lsd_hf_audible"], 1e-9)

    mine = sorted((row for row in rows if row.method == "balanced" and "kHz" in row.way), key=over, reverse=True)
    by_clip: dict[str, Row] = {}
    for row in mine:
        by_clip.setdefault(row.clip.name, row)
    return list(by_clip.values())[:WORST]


def draw(folder: Path, enhancer: Enhancer, worst: Sequence[Row]) -> list[str]:
    """A picture of each of the `worst`, and a line of Markdown each."""
    lines = []
    for number, row in enumerate(worst, 1):
        audio, hz = degraded(row.clip, enhancer.sample_rate)[row.way]
        shown = {
            name: restore(audio, hz) for name, restore in methods(enhancer).items() if name not in ("fast", "best")
        }
        figure = spectrogram_figure(shown | {"reference": row.clip.audio}, enhancer.sample_rate, hz)
        figure.savefig(folder / f"worst_{number}.png")
        lines.append(f"{row.clip.kind}, {row.way}: {row.clip.name}\n\n![{row.clip.name}](worst_{number}.png)\n")
    return lines


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """A line for each clip, way and method."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["kind", "clip", "way", "method", *METRICS])
    for row in rows:
        found = [f"{row.figures[name]:.5g}" if name in row.figures else "" for name in METRICS]
        writer.writerow([row.clip.kind, row.clip.name, row.way, row.method, *found])
    write_atomically(path, text.getvalue())


def main(model: str, corpus: Path, count: int, listened: int, folder: Path) -> None:
    """Compare, and write the report."""
    folder.mkdir(parents=True, exist_ok=True)
    enhancer = Enhancer(load_model(model))
    rows = compare(enhancer, choose(corpus, count, enhancer.sample_rate), listened)
    write_csv(folder / "quality.csv", rows)
    pictures = "\n".join(draw(folder, enhancer, worst_clips(rows)))
    text = f"# Quality of {model}\n\n{summary(rows)}\n\n{table(rows)}\n\n## The worst clips\n\n{pictures}"
    write_atomically(folder / "quality.md", text)
    print(summary(rows), table(rows), sep="\n\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--visqol", type=int, nargs="?", const=2, default=0)
    parser.add_argument("--out", type=Path, default=Path("outputs/quality"))
    given = parser.parse_args()
    main(given.model, given.corpus, given.clips, given.visqol, given.out)
