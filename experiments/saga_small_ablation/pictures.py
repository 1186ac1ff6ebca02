"""Pictures of this study, which study.py and real.py have drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor
from torchaudio.functional import resample

import saga_sr
from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.spectrum import N_FFT, bandwidth_hz, bin_frequencies, stft
from saga_sr.evaluation.sweep import Run, find_runs
from saga_sr.files.reading import read_audio
from saga_sr.pages.spectrograms import spectrogram_figure
from saga_sr.synthesis.dataset import SyntheticAudio

HERE = Path(__file__).parent
STEPS = {
    "saga_small_step0": ("0: duration", "#7f7f7f"),
    "saga_small_step1": ("1: + text", "#1f77b4"),
    "saga_small_step2": ("2: + roll-off", "#17a673"),
    "saga_small_step3": ("3: + dropout of z_lr", "#d62728"),
}
COLOURS = {"hard": "#d62728", "crossfade": "#17a673", "off": "#7f7f7f", "input": "#1f77b4", "reference": "#000000"}
RATE, LENGTH, SEED, CUTOFF_HZ = 44_100, 3 * 44_100, 2_000_003, 4000
Runs = dict[tuple[str, str], Run]


def by_step(sweep: Path) -> Runs:
    """The runs of a sweep by step and seed."""
    return {(run.overrides["experiment"], run.overrides["seed"]): run for run in find_runs([sweep])}


def curves(runs: Runs, name: str) -> None:
    """Training and validation loss on one axis, and the validation's figures."""
    figure = Figure(figsize=(11, 4), dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    panels = (("val/loss", "train/loss"), ("val/lsd",), ("val/si_sdr",))
    titles = ("loss (line: validation, faint: training)", "validation LSD (4 kHz)", "validation SI-SDR (dB)")
    for (step, seed), run in sorted(runs.items()):
        title, colour = STEPS[step]
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
                    label=None if faint or seed != "0" else title,
                )
    for axis, title in zip(axes, titles, strict=True):
        axis.set_xlabel("training step")
        axis.set_ylabel(title)
        axis.grid(alpha=0.25)
    axes[0].set_ylim(0.6, 2.2)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=4, fontsize=8, frameon=False)
    figure.subplots_adjust(0.055, 0.2, 0.995, 0.98, 0.22)
    figure.savefig(HERE / name)


def clips(runs: Runs, name: str) -> None:
    """The first validation clip as each step restores it."""
    any_run = next(iter(runs.values()))
    audios = {"before (4 kHz)": read_audio(any_run.folder / "validation/1_input.flac")[0]}
    for step, (title, _) in STEPS.items():
        audios[title] = read_audio(runs[step, "0"].folder / "validation/1_output.flac")[0]
    audios["reference"] = read_audio(any_run.folder / "validation/1_reference.flac")[0]
    save(spectrogram_figure(audios, RATE, CUTOFF_HZ), name)


def low_band(folder: Path) -> None:
    """One clip without its band above 4 kHz, with each way of taking the low band from the input."""
    enhancer, clip = saga_sr.load(folder), SyntheticAudio(8, LENGTH, seed=SEED)[5]
    lr = degrade(clip["hr"][None], [LowPassFilter("chebyshev1", 8, CUTOFF_HZ)], RATE)
    audios = joined(enhancer, lr, float(CUTOFF_HZ), clip["caption"], ("hard", "crossfade", "off"))
    audios["reference"] = clip["hr"]
    save(spectrogram_figure(audios, RATE), "low_band.png")
    save(levels(audios, 3000, 5000), "low_band_levels.png")


def bright_line(folder: Path) -> None:
    """A clip that was resampled from 12 kHz with a gentle filter, seen around the cutoff that is measured."""
    enhancer, clip = saga_sr.load(folder), SyntheticAudio(24, LENGTH, seed=SEED)[12]
    enhancer.settings = enhancer.settings.changed(power=1.0)
    lr = resample(resample(clip["hr"][None], RATE, 12_000), 12_000, RATE)[..., :LENGTH]
    cutoff_hz = bandwidth_hz(lr, RATE).item()
    audios = {"input": lr[0]} | joined(enhancer, lr, cutoff_hz, "", ("hard", "crossfade")) | {"reference": clip["hr"]}
    below, above = (round(cutoff_hz * N_FFT / RATE) + bins for bins in (-1, 2))
    for mode in ("hard", "crossfade"):
        rise = mean_db(audios[mode])[above] - mean_db(audios[mode])[below]
        print(f"{mode}: {rise:+.1f} dB from {below * RATE / N_FFT:.0f} to {above * RATE / N_FFT:.0f} Hz")
    figure = spectrogram_figure(audios, RATE, height=3.6)
    for axis in figure.axes[: len(audios)]:
        axis.set_ylim(4.5, 9)
    save(figure, "bright_line.png")
    save(levels(audios, 6000, 8500), "bright_line_levels.png")


def joined(
    enhance: Callable[..., tuple[Tensor, int]], lr: Tensor, cutoff_hz: float, prompt: str, modes: tuple[str, ...]
) -> dict[str, Tensor]:
    """`lr` [1, 1, time] as it is restored from the same noise, by the way of taking its low band."""
    return {mode: enhance(lr[0], RATE, low_band=mode, cutoff_hz=cutoff_hz, prompt=prompt)[0] for mode in modes}


def levels(audios: dict[str, Tensor], lowest_hz: float, highest_hz: float) -> Figure:
    """The mean power of `audios` by frequency."""
    figure = Figure(figsize=(8, 3.6), dpi=110)
    FigureCanvasAgg(figure)
    axis, frequency = figure.subplots(), bin_frequencies(RATE)
    near = (frequency > lowest_hz) & (frequency < highest_hz)
    for name, audio in audios.items():
        axis.plot(frequency[near] / 1000, mean_db(audio)[near], label=name, color=COLOURS[name], linewidth=1)
    axis.set_xlabel("frequency (kHz)")
    axis.set_ylabel("mean power (dB)")
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, frameon=False)
    figure.tight_layout()
    return figure


def mean_db(audio: Tensor) -> Tensor:
    """Mean power of the first channel of `audio` [c, time] in each bin."""
    return 10 * torch.log10(stft(audio[:1], N_FFT)[0].abs().square().mean(dim=-1) + 1e-12)


def save(picture: Figure, name: str) -> None:
    """Write a figure beside this script."""
    picture.savefig(HERE / name, dpi=110)
