"""Distil the demo's model with two seeds, and make the tables: `python experiments/distill/study.py TEACHER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from experiments.distill.distance import distances, way
from experiments.sweep_study import OUTPUTS, saga_sr
from experiments.tables import put, spread

PAGE = Path(__file__).with_name("README.md")
SEEDS = (0, 1)
CLIPS = ["clips=8", "seconds=3", "examples=0"]
METRICS = {
    "lsd_hf": "LSD-HF",
    "lsd_hf_audible": "audible LSD-HF",
    "level_hf_db": "HF level (dB)",
    "energy_hf_db": "HF energy (dB)",
    "onset_hf_db": "HF onset (dB)",
    "mel_l1": "mel L1 (dB)",
}
TRAINING = [
    *("experiment=distill", "degradation.cutoff_hz=[3500,9000]", "degradation.order=[6,10]"),
    *("degradation.kinds=[chebyshev1,butterworth,elliptic]", "data.num_samples=32768", "data.batch_size=4"),
    *("data.num_workers=0", "trainer.max_steps=300", "logger=csv"),
]

Judged = dict[str, dict[str, dict[str, float]]]


def student(teacher: str, seed: int) -> str:
    """The package of the student of a seed, trained if it is not there."""
    folder = OUTPUTS / f"distill-{seed}"
    if not (folder / "model" / "model.safetensors").is_file():
        saga_sr("train", *TRAINING, f"teacher={teacher}", f"seed={seed}", f"hydra.run.dir={folder}")
    return str(folder / "model")


def judged(model: str, steps: int) -> Judged:
    """What `saga-sr evaluate` says of a package: by cutoff, metric and method."""
    output = OUTPUTS / "distill" / f"{Path(model).parent.name}-{steps}"
    saga_sr("evaluate", f"model={model}", f"steps={steps}", *CLIPS, f"output={output}")
    cutoffs: Judged = json.loads((output / "metrics.json").read_text())["cutoffs"]
    return cutoffs


def main(teacher: str) -> None:
    students = [student(teacher, seed) for seed in SEEDS]
    of_teacher = {way("teacher", steps): [judged(teacher, steps)] for steps in (1, 4, 16)}
    ways = of_teacher | {way("student", 1): [judged(path, 1) for path in students]}
    table = [["cutoff", "method", "seeds", *METRICS.values()]]
    for cutoff in ("4000", "8000"):
        for name, results in ways.items():
            cells = [spread([result[cutoff][metric]["output"] for result in results]) for metric in METRICS]
            table.append([f"{int(cutoff) // 1000} kHz", name, str(len(results)), *cells])
        replicated = next(iter(of_teacher.values()))[0][cutoff]
        cells = [spread([replicated[metric]["band_replication"]]) for metric in METRICS]
        table.append([f"{int(cutoff) // 1000} kHz", "band replication", "-", *cells])
    put(PAGE, "evaluated", table)
    found = [distances(teacher, path) for path in students]
    rows = [["against the teacher's 16 steps", "difference", "level (dB)"]]
    for name in found[0]:
        # The teacher is the same in all.
        differences, levels = zip(
            *(of[name] for of in (found if name.startswith("student") else found[:1])), strict=True
        )
        rows.append([name, spread(differences, 3), spread(levels)])
    put(PAGE, "distances", rows)


if __name__ == "__main__":
    main(sys.argv[1])
