"""Stretches of a recording whose channels end at the same frequencies throughout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from saga_sr.audio.degradation import FULL_BAND
from saga_sr.audio.edges import Edge

# Edges of a recording that lie closer than this are one: nobody hears the difference, and channels that are restored
# together keep their stereo picture.
ALIKE = 1.15
# A change of edge is cross-faded over this.
FADE_S = 0.2
# Where content ends and where it begins to, in Hz.
Ending = tuple[float, float]


@dataclass(frozen=True)
class Section:
    """A stretch, in samples at the model's rate, and where the content of each channel ends in it."""

    begin: float
    end: float
    edges_hz: tuple[float, ...]

    def share(self, span: tuple[int, int], sample_rate: int) -> Tensor | None:
        """This section's share in each sample of `span`, [time]; None where it has none. All sections' make 1."""
        half = FADE_S * sample_rate / 2
        if span[1] <= self.begin - half or span[0] >= self.end + half:
            return None
        time = torch.arange(*span) + 0.5
        rise, fall = ((time - place) / (2 * half) + 0.5 for place in (self.begin, self.end))
        return rise.clamp(0, 1) - fall.clamp(0, 1)

    def groups(self) -> list[tuple[float, tuple[int, ...]]]:
        """The edges that there are, the lowest first, each with its channels."""
        channels = range(len(self.edges_hz))
        return [(hz, tuple(c for c in channels if self.edges_hz[c] == hz)) for hz in sorted(set(self.edges_hz))]


def settled(edges: Sequence[Sequence[Edge]], file_rate: int, sample_rate: int) -> list[list[Edge]]:
    """Edges measured at a file's rate as they are restored: few different ones, none above what `sample_rate` holds.

    Args:
        edges: the stretches of each channel, as `EdgeFinder` gives them.

    Returns:
        The same; Nyquist of `sample_rate` where nothing is missing.
    """
    nyquist = sample_rate / 2
    # What has a full band at a lower rate ends where changing the rate cuts it.
    limit = nyquist if file_rate >= sample_rate else min(nyquist, FULL_BAND * file_rate / 2)
    seconds: dict[Ending, float] = {}
    for edge in (edge for channel in edges for edge in channel):
        ending = _ending(edge, limit)
        seconds[ending] = seconds.get(ending, 0.0) + edge.end_s - edge.begin_s
    becomes = {ending: (nyquist, nyquist) for ending in seconds if ending[0] >= FULL_BAND * nyquist}
    for alike in _alike(sorted(seconds.keys() - becomes.keys())):
        becomes |= dict.fromkeys(alike, _median(alike, seconds))
    return [
        _joined([Edge(edge.begin_s, edge.end_s, *becomes[_ending(edge, limit)]) for edge in channel])
        for channel in edges
    ]


def plan_sections(edges: Sequence[Sequence[Edge]], sample_rate: int) -> list[Section]:
    """The sections of a recording with the `edges` of each channel, in samples; the last has no end."""
    begins = sorted({edge.begin_s for channel in edges for edge in channel[1:]} | {0.0})
    ends = [*begins[1:], float("inf")]
    begins_at, ends_at = (
        [round(s * sample_rate) if s < float("inf") else s for s in times] for times in (begins, ends)
    )
    at = [tuple(_at(channel, begin) for channel in edges) for begin in begins]
    sections = [Section(*section) for section in zip(begins_at, ends_at, at, strict=True)]
    # Before the first sample there is nothing to fade from.
    return [Section(-float("inf"), sections[0].end, sections[0].edges_hz), *sections[1:]]


def _at(edges: Sequence[Edge], time_s: float) -> float:
    """The edge at a time; that of the first stretch before it, too."""
    return next((edge.hz for edge in reversed(edges) if edge.begin_s <= time_s), edges[0].hz)


def _ending(edge: Edge, limit_hz: float) -> Ending:
    return min(edge.hz, limit_hz), min(edge.knee_hz, limit_hz)


def _alike(ascending: list[Ending]) -> Iterator[list[Ending]]:
    """Endings in groups, no edge further than `ALIKE` above the lowest of its group."""
    group: list[Ending] = []
    for ending in ascending:
        if group and ending[0] > ALIKE * group[0][0]:
            yield group
            group = []
        group.append(ending)
    if group:
        yield group


def _median(ascending: list[Ending], seconds: dict[Ending, float]) -> Ending:
    """The ending below and above which the recording stays as long."""
    half, before = sum(seconds[ending] for ending in ascending) / 2, 0.0
    for ending in ascending:
        before += seconds[ending]
        if before >= half:
            return ending
    return ascending[-1]


def _joined(edges: list[Edge]) -> list[Edge]:
    """Neighbouring stretches of the same edge as one."""
    joined = [edges[0]]
    for edge in edges[1:]:
        if edge.hz == joined[-1].hz:
            joined[-1] = Edge(joined[-1].begin_s, edge.end_s, edge.hz, edge.knee_hz)
        else:
            joined.append(edge)
    return joined
