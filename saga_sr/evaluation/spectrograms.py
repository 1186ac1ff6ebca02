"""Pictures of spectra: kHz against seconds, all of a row on one colour scale."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from saga_sr.audio.spectrum import N_FFT, stft

RANGE_DB = 90.0


def spectrogram_figure(
    audios: Mapping[str, Tensor], sample_rate: int, cutoff_hz: float | None = None, height: float = 2.6
) -> Figure:
    """Spectrograms of `audios` ([c, time] each, by name) side by side, in dB below the loudest point of the row.

    Args:
        sample_rate: Hz.
        cutoff_hz: drawn as a line where given.
        height: of the figure in inches.
    """
    levels = {
        name: stft(audio.mean(dim=0)).abs().square().clamp(min=1e-12).log10().mul(10).numpy()
        for name, audio in audios.items()
    }
    top = max(float(level.max()) for level in levels.values())
    figure = Figure(figsize=(3.4 * len(levels) + 0.8, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(levels), sharey=True, squeeze=False)[0]
    for axis, (name, level) in zip(axes, levels.items(), strict=True):
        seconds = audios[name].shape[-1] / sample_rate
        image = axis.imshow(
            level[: N_FFT // 2] - top,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=-RANGE_DB,
            vmax=0,
            extent=(0, seconds, 0, sample_rate / 2000),
            interpolation="nearest",
        )
        if cutoff_hz:
            axis.axhline(cutoff_hz / 1000, color="white", linewidth=0.7, linestyle=(0, (4, 4)), alpha=0.8)
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("time (s)", fontsize=9)
        axis.tick_params(labelsize=8)
    axes[0].set_ylabel("frequency (kHz)", fontsize=9)
    bar = figure.colorbar(image, ax=list(axes), pad=0.01)
    bar.set_label("level (dB)", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure
