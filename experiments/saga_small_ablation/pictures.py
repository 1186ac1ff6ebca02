"""Draw this study's pictures.

    python experiments/saga_small_ablation/pictures.py outputs/saga_small_ablation outputs/demo/train/model

Those of the low band are drawn with the demo's model too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import saga_sr
from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.files import read_audio
from saga_sr.audio.spectrum import N_FFT, bin_frequencies, stft
from saga_sr.data.synthetic import SyntheticAudio
from saga_sr.evaluation.spectrograms import spectrogram_figure
from saga_sr.evaluation.sweep import find_runs

HERE = Path(__file__).parent
STEPS = {
    "saga_small_step0": ("0: duration", "#7f7f7f"),
    "saga_small_step1": ("1: + text", "#1f77b4"),
    "saga_small_step2": ("2: + roll-off", "#17a673"),
    "saga_small_step3": ("3: + dropout of z_lr", "#d62728"),
}
CUTOFF_HZ, SECONDS = 4000, 3.0
runs = {
    (run.overrides["experiment"], run.overrides["seed"]): run
    for run in find_runs([Path(sys.argv[1])])
}  # fmt: skip


def curves() -> None:
    """Training and validation loss on one axis, and the validation's figures."""
    figure = Figure(figsize=(11, 4), dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    panels = (("val/loss", "train/loss"), ("val/lsd",), ("val/si_sdr",))
    titles = ("loss (line: validation, faint: training)", "validation LSD (4 kHz)", "validation SI-SDR (dB)")
    for (step, seed), run in sorted(runs.items()):
        name, colour = STEPS[step]
        for axis, figures in zip(axes, panels, strict=True):
            for figure_name in figures:
                faint = figure_name == "train/loss"
                axis.plot(
                    *zip(*run.curves[figure_name], strict=True),
                    color=colour,
                    alpha=0.15 if faint else 1,
                    linestyle="-" if seed == "0" else "--",
                    linewidth=1,
                    marker=None if faint else "o",
                    markersize=2.5,
                    label=None if faint or seed != "0" else name,
                )
    for axis, title in zip(axes, titles, strict=True):
        axis.set_xlabel("training step")
        axis.set_ylabel(title)
        axis.grid(alpha=0.25)
    axes[0].set_ylim(0.6, 2.2)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=4, fontsize=8, frameon=False)
    figure.subplots_adjust(0.055, 0.2, 0.995, 0.98, 0.22)
    figure.savefig(HERE / "curves.png")


def clips() -> None:
    """The first validation clip as each step restores it."""
    any_run = next(iter(runs.values()))
    audios = {"before (4 kHz)": read_audio(any_run.folder / "auditions/1_input.flac")[0]}
    for step, (name, _) in STEPS.items():
        audios[name] = read_audio(runs[step, "0"].folder / "auditions/1_output.flac")[0]
    audios["reference"] = read_audio(any_run.folder / "auditions/1_reference.flac")[0]
    save(spectrogram_figure(audios, 44_100), "clips.png")


def low_band(folder: Path, name: str) -> None:
    """One clip with each way of taking the low band from the input, and the level around the cutoff."""
    model = saga_sr.load(folder)
    clip = SyntheticAudio(8, round(SECONDS * 44_100), seed=2_000_003)[5]
    lr = degrade(clip["hr"][None], [LowPassFilter("chebyshev1", 8, CUTOFF_HZ)], 44_100)
    noise = torch.randn(1, model.codec.latent_dim, 2000, generator=torch.Generator().manual_seed(0))
    prompt = clip["caption"] if model.conditioner.text is not None else ""
    audios, levels = {}, {}
    for mode in ("hard", "crossfade", "off"):
        model.low_band = mode
        output = model.enhance(lr, torch.tensor([float(CUTOFF_HZ)]), lambda frames: noise[..., :frames], prompt=prompt)
        audios[mode] = output[0]
    audios["reference"] = clip["hr"]
    frequency = bin_frequencies(44_100)
    for mode, audio in audios.items():
        levels[mode] = 10 * torch.log10(stft(audio[:1], N_FFT)[0].abs().square().mean(dim=-1) + 1e-12)
    save(spectrogram_figure(audios, 44_100), f"{name}.png")
    figure = Figure(figsize=(8, 3.6), dpi=110)
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    near = (frequency > 3000) & (frequency < 5000)
    for mode, colour in zip(levels, ("#d62728", "#17a673", "#7f7f7f", "#000000"), strict=True):
        axis.plot(frequency[near] / 1000, levels[mode][near], label=mode, color=colour, linewidth=1)
    axis.set_xlabel("frequency (kHz)")
    axis.set_ylabel("mean power (dB)")
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, frameon=False)
    figure.tight_layout()
    figure.savefig(HERE / f"{name}_seam.png")


def save(picture: Figure, name: str) -> None:
    """Write a figure beside this script."""
    picture.savefig(HERE / name, dpi=110)


if __name__ == "__main__":
    curves()
    clips()
    low_band(runs["saga_small_step2", "0"].folder / "model", "low_band")
    low_band(Path(sys.argv[2]), "low_band_demo")
