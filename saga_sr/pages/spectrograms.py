"""Pictures of spectra: kHz against seconds, all that stand side by side on one colour scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from saga_sr.audio.spectrum import stft

RANGE_DB = 90.0
COLOURS = "magma"
# Labels of pictures without a background, readable on white and on black.
GREY = "#7a828e"


def spectrogram_figure(
    audios: Mapping[str, Tensor], sample_rate: int, cutoff_hz: float | None = None, height: float = 2.6
) -> Figure:
    """Spectrograms of `audios` ([c, time] each, by name) side by side, in dB below the loudest point of the row.

    Args:
        sample_rate: Hz.
        cutoff_hz: drawn as a line where given.
        height: of the figure in inches.
    """
    width, loudest = 3.2 * len(audios) + 1.2, loudest_db(audios.values())
    figure = Figure(figsize=(width, height), dpi=100)
    FigureCanvasAgg(figure)
    # Margins in inches; a fixed layout draws several times faster than a computed one.
    figure.subplots_adjust(0.55 / width, 0.45 / height, 1 - 0.85 / width, 1 - 0.28 / height, 0.07)
    axes = figure.subplots(1, len(audios), sharey=True, squeeze=False)[0]
    for axis, (name, audio) in zip(axes, audios.items(), strict=True):
        image = _draw(axis, audio, sample_rate, cutoff_hz, loudest)
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("time (s)", fontsize=9)
        axis.tick_params(labelsize=8)
    axes[0].set_ylabel("frequency (kHz)", fontsize=9)
    box = axes[-1].get_position()
    bar = figure.colorbar(image, cax=figure.add_axes((1 - 0.72 / width, box.y0, 0.12 / width, box.height)))
    bar.set_label("level (dB)", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure


def spectrogram_panel(
    audio: Tensor, sample_rate: int, cutoff_hz: float | None = None, loudest: float | None = None
) -> Figure:
    """One spectrogram without title, key and background, for pages that have their own.

    Args:
        audio: [c, time].
        loudest: what counts as 0 dB; as a rule `loudest_db` of all that it is compared with.
    """
    figure = Figure(figsize=(3.2, 1.95), dpi=170, facecolor="none")
    axis = figure.add_axes((0.115, 0.165, 0.86, 0.825))
    _draw(axis, audio, sample_rate, cutoff_hz, loudest_db([audio]) if loudest is None else loudest)
    axis.set_xlabel("s", fontsize=7.5, color=GREY, labelpad=1)
    axis.set_ylabel("kHz", fontsize=7.5, color=GREY, labelpad=2)
    axis.tick_params(labelsize=7, color=GREY, labelcolor=GREY, length=2.5, pad=2)
    axis.spines[:].set_color(GREY)
    return figure


def loudest_db(audios: Iterable[Tensor]) -> float:
    """Level of the loudest point of the spectrograms of `audios` ([c, time] each)."""
    return max(float(_level_db(audio).max()) for audio in audios)


def _level_db(audio: Tensor) -> Tensor:
    return stft(audio).abs().square().mean(dim=0).clamp(min=1e-12).log10().mul(10)


def _draw(axis: Axes, audio: Tensor, sample_rate: int, cutoff_hz: float | None, loudest: float) -> AxesImage:
    image = axis.imshow(
        _level_db(audio).numpy() - loudest,
        origin="lower",
        aspect="auto",
        cmap=COLOURS,
        vmin=-RANGE_DB,
        vmax=0,
        extent=(0, audio.shape[-1] / sample_rate, 0, sample_rate / 2000),
    )
    if cutoff_hz is not None:
        axis.axhline(cutoff_hz / 1000, color="white", linewidth=0.7, linestyle=(0, (4, 4)), alpha=0.8)
    return image
