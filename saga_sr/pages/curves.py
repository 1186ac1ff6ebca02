"""Pictures of training's curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from saga_sr.pages.spectrograms import GREY

Series = Mapping[str, Sequence[tuple[float, float]]]
# Told apart on white and on black.
LINES = ("#3b82f6", "#e8890c", "#10a37f", "#d9489b")


@dataclass(frozen=True)
class Curve:
    """A line of (step, value) in a colour."""

    colour: str
    points: Sequence[tuple[float, float]]
    label: str | None = None


def curve_panel(name: str, series: Series) -> Figure:
    """`series` of (step, value), by name, over the training step; no background, as pages have their own."""
    return _panel(
        name, [Curve(LINES[i % len(LINES)], points, label) for i, (label, points) in enumerate(series.items())]
    )


def runs_panel(name: str, curves: Sequence[Curve]) -> Figure:
    """The same figure of many runs; the page says what the colours mean."""
    return _panel(name, curves, width=1.0)


def learning_rate_panel(rates: Sequence[float], losses: Sequence[float], best: float) -> Figure:
    """The loss over the learning rate, and the rate that is suggested."""
    figure = _panel("loss, smoothed", [Curve(LINES[0], [*zip(rates, losses, strict=False)], None)])
    axis = figure.axes[0]
    axis.set_xlabel("learning rate", fontsize=8, color=GREY)
    axis.set_xscale("log")
    axis.axvline(best, color=LINES[1], lw=1.4, label=f"{best:.2g}")
    axis.legend(fontsize=7.5, frameon=False, labelcolor=GREY)
    return figure


def _panel(name: str, curves: Sequence[Curve], width: float = 1.4) -> Figure:
    figure = Figure(figsize=(4.6, 2.7), dpi=150, facecolor="none", layout="constrained")
    axis = figure.add_subplot(facecolor="none")
    for curve in curves:
        steps, values = zip(*curve.points, strict=True)
        marker = "o" if len(steps) < 20 else None
        axis.plot(steps, values, label=curve.label, color=curve.colour, lw=width, marker=marker, ms=3)
    axis.set_xlabel("training step", fontsize=8, color=GREY)
    axis.set_ylabel(name, fontsize=8, color=GREY)
    axis.tick_params(labelsize=7.5, color=GREY, labelcolor=GREY)
    axis.grid(color=GREY, alpha=0.2)
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["bottom", "left"]].set_color(GREY)
    if any(curve.label for curve in curves):
        axis.legend(fontsize=7.5, frameon=False, labelcolor=GREY)
    return figure
