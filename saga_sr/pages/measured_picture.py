"""A recording's spectrogram with where its content ends drawn in, as a picture file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator
from torch import Tensor

from saga_sr.audio.edges import Edge
from saga_sr.audio.timecode import clock
from saga_sr.core.storage import write_whole
from saga_sr.pages.spectrograms import COLOURS, RANGE_DB

EDGE_COLOUR = "#00e5ff"
# Times are in seconds up to this, and in minutes and seconds beyond.
SECONDS_TO = 180.0
# Then marks are this far apart.
TICKS_S = (30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)
# Silence is dark, however quiet the loudest point of a picture is.
DARKEST_TOP_DB = -60.0
# Stretches longer than this share of the picture have their edge written on them.
LABELLED = 0.05
WIDTH, PANEL, TOP, BOTTOM = 10.0, 2.7, 0.6, 0.55


def write_picture(
    path: Path, title: str, spectrogram: Tensor, edges: Sequence[Sequence[Edge]], names: Sequence[str],
    nyquist_hz: float,
) -> None:  # fmt: skip
    """Draw a panel for each channel of `spectrogram` into the PNG file `path`, here or in object storage.

    Args:
        spectrogram: level in dB, [channel, column, bin].
        edges: of each channel, Nyquist where nothing is missing.
        names: of the channels; of more than the spectrogram has, its first are shown.

    Raises:
        OSError: a disk that is full or read-only.
    """
    channels = len(spectrogram)
    height = TOP + BOTTOM + PANEL * channels
    figure = Figure(figsize=(WIDTH, height), dpi=120)
    FigureCanvasAgg(figure)
    figure.subplots_adjust(0.075, BOTTOM / height, 1 - 1.05 / WIDTH, 1 - TOP / height, hspace=0.16)
    axes = figure.subplots(channels, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    loudest = max(float(spectrogram.max()), DARKEST_TOP_DB)
    for axis, level, channel, name in zip(axes, spectrogram, edges, names, strict=False):
        image = _draw(axis, level, channel, nyquist_hz, loudest)
        axis.set_ylabel("frequency (kHz)", fontsize=9)
        axis.set_title(name, fontsize=9, loc="left", pad=3)
    _time_axis(axes[-1], edges[0][-1].end_s)
    bar = figure.colorbar(image, cax=figure.add_axes((1 - 0.9 / WIDTH, BOTTOM / height, 0.16 / WIDTH, 1.6 / height)))
    bar.set_label("level (dBFS)", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    figure.suptitle(_drawable(title), x=0.075, y=1 - 0.1 / height, ha="left", va="top", fontsize=10, parse_math=False)
    key = Line2D([], [], color=EDGE_COLOUR, lw=1.2, label="content ends (no line: full band)")
    axes[0].legend(handles=[key], loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8, borderpad=0)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    write_whole(path, drawn.getvalue())


def _draw(axis: Axes, level: Tensor, edges: Sequence[Edge], nyquist_hz: float, loudest: float) -> AxesImage:
    image = axis.imshow(
        level.T.numpy(),
        origin="lower",
        aspect="auto",
        cmap=COLOURS,
        vmin=loudest - RANGE_DB,
        vmax=loudest,
        extent=(0, edges[-1].end_s, 0, nyquist_hz / 1000),
    )
    # A full band has no line, and the change to it none across.
    khz = np.array([edge.hz / 1000 if edge.hz < nyquist_hz else np.nan for edge in edges])
    axis.stairs(khz, [edges[0].begin_s, *(edge.end_s for edge in edges)], baseline=None, color=EDGE_COLOUR, lw=1.2)
    for edge in edges:
        if edge.hz < nyquist_hz and edge.end_s - edge.begin_s > LABELLED * edges[-1].end_s:
            below = edge.hz > 0.88 * nyquist_hz
            axis.annotate(
                f"{edge.hz / 1000:.1f} kHz", (edge.end_s, edge.hz / 1000), (-3, -3 if below else 3),
                textcoords="offset points", ha="right", va="top" if below else "bottom", color=EDGE_COLOUR, fontsize=8,
                path_effects=[withStroke(linewidth=2, foreground="black")],
            )  # fmt: skip
    axis.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.tick_params(labelsize=8)
    return image


def _time_axis(axis: Axes, end_s: float) -> None:
    if end_s <= SECONDS_TO:
        axis.set_xlabel("time (s)", fontsize=9)
        return
    axis.set_xlabel("time (h:mm:ss)" if end_s >= 3600 else "time (m:ss)", fontsize=9)
    axis.xaxis.set_major_locator(MultipleLocator(next((step for step in TICKS_S if end_s / step <= 10), end_s / 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds).partition(".")[0]))


def _drawable(text: str) -> str:
    """A file's name, which need not be text."""
    return text.encode("utf-8", "backslashreplace").decode()
