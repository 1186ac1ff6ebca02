"""The search behind the bundled model: the same short training of `experiment=bundled`, one thing changed at a time.

python experiments/bundled/ablations.py CORPUS [--steps 400] [--only NAME ...] [--out FOLDER]

Each is trained with two seeds and judged as quality.py judges (preset `balanced`, 4 and 8 kHz, four clips a kind).
FOLDER (`outputs/ablations`) keeps the runs; what is there is passed over, and what was ended goes on. The table is in
README.md.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from quality import CUTOFFS_HZ, Row, average, choose, figures, ratio

from experiments.tables import put
from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.core.atomic_file import write_atomically
from saga_sr.evaluation.baselines import band_replication
from saga_sr.evaluation.comparison import LOW_PASS
from saga_sr.inference.enhancer import Enhancer
from saga_sr.packages.load import load_model

SEEDS, CLIPS = (0, 1), 4
HEAD = ["what is changed", "LSD-HF x", "between seeds", "audible x", "HF energy (dB)"]
JAT = ["backbone=jat_tiny", "backbone.level_frames=1", "backbone.level_context=1"]
TIMES = ["objective.logit_mean=-3", "objective.logit_std=1.5"]
ABLATIONS: dict[str, list[str]] = {
    "as it is": [],
    "hop 512": ["codec.latent_dim=512", "loss.windows=[[5,1],[33,33]]"],
    "companding 0.35": ["codec.exponent=0.35"],
    "width 128": ["backbone.width=128"],
    "depth 12, width 176": ["backbone.depth=12", "backbone.width=176"],
    "depth 3, width 368": ["backbone.depth=3", "backbone.width=368"],
    "kernel 1: no look at other frames": ["backbone.kernel=1"],
    "dropout 0.15": ["backbone.dropout=0.15"],
    "fine windows alone": ["loss.windows=[[9,1]]"],
    "coarse windows alone": ["loss.windows=[[65,17]]"],
    "likelihood": ["loss=gaussian_nll"],
    "JaT, global attention": [*JAT, *TIMES],
    "JaT, likelihood": [*JAT, *TIMES, "loss=gaussian_nll"],
    "low-passes alone": ["degradation=lowpass"],
    "speeds": ["data.augmentation.speed=1.25"],
    "others beside": ["data.augmentation.mixed=0.25"],
    "no average of the weights": ["ema=none"],
}


def trained(corpus: Path, folder: Path, steps: int, seed: int, overrides: list[str]) -> Path:
    """The package of a run of `experiment=bundled`, made or finished if it is not there."""
    model = folder / "model"
    if not (model / "model.safetensors").is_file():
        command = [
            sys.executable, "-m", "saga_sr", "train", "experiment=bundled", f"data.path={corpus}/train.tsv",
            f"data.validation_path={corpus}/validation.tsv", "logger=csv", f"seed={seed}", f"trainer.max_steps={steps}",
            f"trainer.val_check_interval={steps}", *overrides, f"hydra.run.dir={folder}",
        ]  # fmt: skip
        subprocess.run(command, check=True)
    return model


def judged(model: Path, corpus: Path) -> dict[str, float]:
    """LSD-HF, all and audible, over band replication's, and HF energy in dB, in the means of kinds and cutoffs."""
    found = model.parent / "judged.json"
    if not found.is_file():
        enhancer = Enhancer(load_model(str(model)))
        rate, rows = enhancer.sample_rate, []
        for clip in choose(corpus, CLIPS, rate):
            for hz in CUTOFFS_HZ:
                cutoff = torch.tensor([float(hz)])
                audio = degrade(clip.audio[None], [LowPassFilter(*LOW_PASS, float(hz))], rate)
                replicated = band_replication(audio, cutoff, rate)[0]
                for name, output in (("band replication", replicated), ("model", enhancer.clips(audio, cutoff)[0])):
                    rows.append(Row(clip, f"{hz} Hz", name, figures(output, clip, hz, rate)))
        cells = sorted({(row.way, row.clip.kind) for row in rows})
        means = {
            metric: statistics.fmean(ratio(rows, *cell, "model", metric) for cell in cells)
            for metric in ("lsd_hf", "lsd_hf_audible")
        }
        energies = [
            average([row for row in rows if (row.way, row.clip.kind, row.method) == (*cell, "model")], "energy_hf_db")
            for cell in cells
        ]
        means["energy_hf_db"] = statistics.fmean(energy or 0.0 for energy in energies)
        write_atomically(found, json.dumps(means))
    return json.loads(found.read_text())


def line(name: str, results: Sequence[dict[str, float]]) -> list[str]:
    """A row of the table: means over the seeds, and the distance between them."""
    cells = [f"{statistics.fmean(r[m] for r in results):.3f}" for m in ("lsd_hf", "lsd_hf_audible")]
    spread = max(r["lsd_hf"] for r in results) - min(r["lsd_hf"] for r in results)
    return [name, cells[0], f"{spread:.3f}", cells[1], f"{statistics.fmean(r['energy_hf_db'] for r in results):+.1f}"]


def main(corpus: Path, steps: int, only: Sequence[str], out: Path) -> None:
    """Train and judge what is missing, and write the table after each."""
    lines = []
    for name in only:
        results = []
        for seed in SEEDS:
            folder = out / f"{'_'.join(re.findall('[a-z0-9.]+', name.lower()))}-{seed}"
            results.append(judged(trained(corpus.resolve(), folder.resolve(), steps, seed, ABLATIONS[name]), corpus))
        lines.append(line(name, results))
        put(Path(__file__).with_name("README.md"), "ablations", [HEAD, *lines])
        print(*lines[-1], sep="  ", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--only", nargs="*", choices=list(ABLATIONS), default=list(ABLATIONS))
    parser.add_argument("--out", type=Path, default=Path("outputs/ablations"))
    given = parser.parse_args()
    main(given.corpus, given.steps, given.only, given.out)
