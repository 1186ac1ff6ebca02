"""Recordings in words: what was measured, and what is restored."""

from __future__ import annotations

from collections.abc import Sequence

from saga_sr.audio.edges import Edge
from saga_sr.audio.levels import Levels, Places
from saga_sr.audio.timecode import clock, timecode
from saga_sr.inference.measurement import OUTPUT_RATE, Heard, Measurement, channel_names, decibels

# Stretches of a channel that a table and a line list.
TABLE_LISTS, LINE_LISTS = 8, 3
# A mean of samples further from zero than this is said.
DC = 0.001
FOUND = {
    "clipped": "clipped",
    "above_full_scale": "above full scale",
    "silence": "digital silence",
    "not_finite": "NaN or infinity",
}


def restoring(edges: Sequence[Sequence[Edge]], output_rate: int, heard: Heard | None = None) -> str:
    """A recording in one line: above which frequency each channel is restored and when, what is lost, peak, clipping.

    Args:
        edges: of each channel, Nyquist of `output_rate` where nothing is missing.
        heard: what was measured of it, if it was.
    """
    silent = [level.peak == 0 for level in heard.levels] if heard else [False] * len(edges)
    if all(silent):
        return "silent, only resampled"
    said = ["" if empty else _above(channel, output_rate / 2) for channel, empty in zip(edges, silent, strict=True)]
    if not any(said):
        what = "nothing missing, only resampled"
    elif len(set(said)) == 1:
        what = f"restored {said[0]}"
    else:
        by_channel = zip(channel_names(len(edges)), said, silent, strict=True)
        what = "restored " + "; ".join(
            f"{name} {text or ('silent' if empty else 'nothing')}" for name, text, empty in by_channel
        )
    if heard is None:
        return what
    lost = [edge.hz for channel in range(len(edges)) for edge in heard.lost(channel, output_rate)]
    beyond = [f"lost above {output_rate / 2000:g} kHz (up to {khz(max(lost))})"] if lost else []
    return "; ".join([what, *beyond, ", ".join(_loudness(heard.levels))])


def table(measurement: Measurement) -> str:
    """All that was measured of a file, aligned in lines."""
    info = measurement.info
    channels = "1 channel" if info.channels == 1 else f"{info.channels} channels"
    facts = [clock(info.duration_s), f"{info.sample_rate / 1000:g} kHz", channels, f"{info.container} {info.encoding}"]
    rows = [["", "RMS", "peak", "time", "content to", "to restore"]]
    for i, (name, levels) in enumerate(zip(measurement.names, measurement.heard.levels, strict=True)):
        label = [name, _dbfs(levels.rms), _dbfs(levels.peak)]
        for stretch in _stretches(measurement, i):
            rows.append([*label, *stretch])
            label = ["", "", ""]
    remarks = [f"  {remark}." for remark in _remarks(measurement)]
    return "\n".join([f"{info.path}: {', '.join(facts).strip()}", *_aligned(rows), *remarks])


def _stretches(measurement: Measurement, channel: int) -> list[list[str]]:
    """Time, content and what would be restored of each stretch of a channel."""
    edges, nyquist_hz = measurement.heard.edges[channel], measurement.info.sample_rate / 2
    if measurement.heard.levels[channel].peak == 0:
        return [[_time(edges[0].begin_s, edges[-1].end_s), "silent", "nothing"]]
    listed = []
    for edge in edges[:TABLE_LISTS]:
        above = next(e.hz for e in reversed(measurement.restored[channel]) if e.begin_s <= edge.begin_s)
        content = khz(edge.hz) if edge.hz < nyquist_hz else f"full band ({edge.hz / 1000:g} kHz)"
        restore = f"above {khz(above)}" if above < OUTPUT_RATE / 2 else "nothing"
        listed.append([_time(edge.begin_s, edge.end_s), content, restore])
    more = len(edges) - len(listed)
    return [*listed, [f"and {more} more stretches, which json=FILE lists", "", ""]] if more else listed


def _remarks(measurement: Measurement) -> list[str]:
    """What should be known beside levels and edges, a sentence each."""
    remarks = [note.removeprefix(f"{measurement.info.path} ").rstrip(".") for note in measurement.notes]
    for i, (name, levels) in enumerate(zip(measurement.names, measurement.heard.levels, strict=True)):
        found = {kind: places for kind, places in levels.places().items() if places.count}
        if levels.peak == 0:
            found.pop("silence", None)
        remarks += [f"{name}: {FOUND[kind]} {_where(places)}" for kind, places in found.items()]
        if abs(levels.dc) > DC:
            remarks.append(f"{name}: DC offset of {levels.dc:+.4f}")
        lost = measurement.heard.lost(i, OUTPUT_RATE)
        if lost:
            top = khz(max(edge.hz for edge in lost))
            remarks.append(f"{name}: what lies above {OUTPUT_RATE / 2000:g} kHz (up to {top}) would be lost")
    return [remark[0].upper() + remark[1:] for remark in remarks]


def _above(edges: Sequence[Edge], nyquist_hz: float) -> str:
    """Above which frequency a channel is restored, and when; empty where it is nowhere."""
    missing = [edge for edge in edges if edge.hz < nyquist_hz]
    said = []
    for edge in missing[:LINE_LISTS]:
        begin = f" from {clock(edge.begin_s)}" if edge is not edges[0] else ""
        end = f" to {clock(edge.end_s)}" if edge is not edges[-1] else ""
        said.append(f"above {khz(edge.hz)}{begin}{end}")
    more = len(missing) - len(said)
    return ", ".join(said) + (f" and so on in {more} more stretches" if more else "")


def _loudness(levels: Sequence[Levels]) -> list[str]:
    """The peak of all channels, and the first place that is clipped or above full scale in any."""
    said = [f"peak {_dbfs(max(level.peak for level in levels))}"]
    for kind in ("clipped", "above_full_scale"):
        found = [places for level in levels if (places := level.places()[kind]).first_s is not None]
        if found:
            count = sum(places.count for places in found)
            first_s = min(places.first_s for places in found if places.first_s is not None)
            said.append(f"{FOUND[kind]} at {clock(first_s)} ({_places(count)})")
    return said


def khz(hz: float) -> str:
    """A frequency in kHz."""
    return f"{hz / 1000:.1f} kHz"


def _dbfs(level: float) -> str:
    in_db = decibels(level)
    if in_db is None:
        return "-"
    shown = round(in_db, 1) or 0.0  # no -0.0
    return f"{'+' if shown > 0 else ''}{shown:.1f} dBFS"


def _time(begin_s: float, end_s: float) -> str:
    return f"{clock(begin_s)} - {clock(end_s)}"


def _where(places: Places) -> str:
    first = timecode(places.first_s or 0.0)
    samples = "1 sample" if places.samples == 1 else f"{places.samples} samples"
    return (
        f"at {first} ({samples})" if places.count == 1 else f"in {_places(places.count)} ({samples}), first at {first}"
    )


def _places(count: int) -> str:
    return "1 place" if count == 1 else f"{count} places"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines whose columns stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
