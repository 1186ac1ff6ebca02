"""Draw this study's pictures: `python experiments/jat_losses/pictures.py outputs/jat_losses [PREFIX]`."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from saga_sr.audio.spectrum import bin_frequencies, log_power
from saga_sr.evaluation.sweep import Run, find_runs
from saga_sr.files.reading import read_audio
from saga_sr.pages.spectrograms import spectrogram_figure

HERE = Path(__file__).parent
RATE, CUTOFF_HZ = 44_100, 4000
COLOURS = {"mse": "#7f7f7f", "mod1": "#d62728", "mod2": "#17a673"}
PANELS = {
    "val/lsd_hf": "validation LSD-HF (4 kHz)",
    "val/lsd": "validation LSD",
    "val/si_sdr": "validation SI-SDR (dB)",
}


def curves(runs: list[Run], name: str) -> None:
    """The validation's figures over the training."""
    figure = Figure(figsize=(11, 4), dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    for run in runs:
        loss = run.overrides["loss"]
        for axis, figure_name in zip(axes, PANELS, strict=True):
            axis.plot(
                *zip(*run.curves[figure_name], strict=True), color=COLOURS[loss], linewidth=1, marker="o",
                markersize=2.5, label=loss if run.overrides["seed"] == "1" else None,
            )  # fmt: skip
    for axis, title in zip(axes, PANELS.values(), strict=True):
        axis.set_xlabel("training step")
        axis.set_ylabel(title)
        axis.grid(alpha=0.25)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=3, fontsize=8, frameon=False)
    figure.subplots_adjust(0.055, 0.22, 0.995, 0.98, 0.24)
    figure.savefig(HERE / name)


def sound(run: Run, clip: int, name: str) -> Tensor:
    """[channel, time] of what a run's validation kept."""
    return read_audio(run.folder / f"validation/{clip}_{name}.flac")[0]


def clip(runs: list[Run], name: str) -> None:
    """The first clip as each loss restores it, seed 1."""
    audios = {"before (4 kHz)": sound(runs[0], 1, "input")}
    audios |= {run.overrides["loss"]: sound(run, 1, "output") for run in runs if run.overrides["seed"] == "1"}
    audios["reference"] = sound(runs[0], 1, "reference")
    spectrogram_figure(audios, RATE, CUTOFF_HZ).savefig(HERE / name, dpi=60)


def levels(runs: list[Run], name: str) -> None:
    """How much of what is above the cutoff there is, at which frequency: over the auditioned clips and all seeds."""
    figure = Figure(figsize=(8, 3.6), dpi=110)
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    khz = bin_frequencies(RATE) / 1000
    clips = sorted({path.name.partition("_")[0] for path in runs[0].folder.glob("validation/*_output.flac")})
    for loss, colour in {**COLOURS, "reference": "black"}.items():
        chosen = runs[:1] if loss == "reference" else [run for run in runs if run.overrides["loss"] == loss]
        kind = "reference" if loss == "reference" else "output"
        level = torch.stack(
            [log_power(sound(run, int(clip), kind)).mean(dim=(0, 2)) for run in chosen for clip in clips]
        )
        axis.plot(khz, 10 * level.mean(dim=0), color=colour, linewidth=1, label=loss)
    axis.axvline(CUTOFF_HZ / 1000, color="black", linewidth=0.5, linestyle=":")
    axis.set_xlabel("frequency (kHz)")
    axis.set_ylabel("mean level (dB)")
    axis.grid(alpha=0.25)
    axis.legend(frameon=False, fontsize=8)
    figure.subplots_adjust(0.09, 0.16, 0.99, 0.97)
    figure.savefig(HERE / name)


def main(sweep: Path, prefix: str = "") -> None:
    runs = [run for run in find_runs([sweep]) if run.status == "finished"]
    curves(runs, f"{prefix}curves.png")
    clip(runs, f"{prefix}clip.png")
    levels(runs, f"{prefix}level.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
