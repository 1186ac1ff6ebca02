"""Draw this study's pictures: `python experiments/heads_and_objectives/pictures.py outputs/heads_and_objectives`."""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from saga_sr.evaluation.sweep import find_runs, variants
from saga_sr.files.reading import read_audio
from saga_sr.pages.spectrograms import spectrogram_figure

HERE = Path(__file__).parent
PANELS = {
    "val/lsd_hf": "validation LSD-HF (4 kHz)",
    "val/si_sdr": "validation SI-SDR (dB)",
    "train/loss": "training loss",
}
COLOURS = {
    ("linear", "velocity"): "#d62728",
    ("linear", "x_prediction"): "#ff9f40",
    ("gaussian", "velocity"): "#1f77b4",
    ("gaussian", "x_prediction"): "#17a673",
}
runs = find_runs([Path(sys.argv[1])])

figure = Figure(figsize=(11, 4.2), dpi=110)
FigureCanvasAgg(figure)
axes = figure.subplots(1, 3)
for variant in variants(runs):
    head, objective, time = (variant.settings[key] for key in ("backbone.head", "objective", "objective.time"))
    for i, run in enumerate(variant.runs):
        for axis, name in zip(axes, PANELS, strict=True):
            points = run.curves[name]
            axis.plot(
                *zip(*points, strict=True),
                color=COLOURS[head, objective],
                linestyle="-" if time == "uniform" else "--",
                linewidth=1,
                marker="o" if len(points) < 20 else None,
                markersize=2.5,
                label=None if i else f"{head}, {objective}, {time}",
            )
for axis, title in zip(axes, PANELS.values(), strict=True):
    axis.set_xlabel("training step")
    axis.set_ylabel(title)
    axis.grid(alpha=0.25)
axes[2].set_ylim(0, 6)
figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=4, fontsize=7.5, frameon=False)
figure.subplots_adjust(0.055, 0.25, 0.995, 0.98, 0.24)
figure.savefig(HERE / "curves.png")

shown = {"before (4 kHz)": "input", "reference": "reference"}
audios = {title: read_audio(runs[0].folder / f"validation/1_{name}.flac")[0] for title, name in shown.items()}
for head, objective in COLOURS:
    wanted = {"backbone.head": head, "objective": objective, "objective.time": "logit_normal", "seed": "1"}
    (run,) = (run for run in runs if wanted.items() <= run.overrides.items())
    audios[f"{head}, {objective}"] = read_audio(run.folder / "validation/1_output.flac")[0]
spectrogram_figure(audios, 44_100, 4000).savefig(HERE / "clip.png", dpi=60)
