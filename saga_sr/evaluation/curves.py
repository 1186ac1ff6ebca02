"""Pictures of training's curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from saga_sr.evaluation.spectrograms import GREY

Series = Mapping[str, Sequence[tuple[float, float]]]
# Told apart on white and on black.
LINES = ("#3b82f6", "#e8890c", "#10a37f", "#d9489b")


def curve_panel(name: str, series: Series) -> Figure:
    """`series` of (step, value), by name, over the training step; no background, as pages have their own."""
    figure = Figure(figsize=(4.6, 2.7), dpi=150, facecolor="none")
    axis = figure.add_axes((0.125, 0.165, 0.865, 0.815), facecolor="none")
    for i, (label, points) in enumerate(series.items()):
        steps, values = zip(*points, strict=True)
        marker = "o" if len(points) < 20 else None
        axis.plot(steps, values, label=label, color=LINES[i % len(LINES)], lw=1.4, marker=marker, ms=3)
    axis.set_xlabel("training step", fontsize=8, color=GREY)
    axis.set_ylabel(name, fontsize=8, color=GREY)
    axis.tick_params(labelsize=7.5, color=GREY, labelcolor=GREY)
    axis.grid(color=GREY, alpha=0.2)
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["bottom", "left"]].set_color(GREY)
    axis.legend(fontsize=7.5, frameon=False, labelcolor=GREY)
    return figure
