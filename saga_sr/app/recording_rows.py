"""What pages show of recordings: a row in words for each, and what the player needs of the one that is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saga_sr.app.audio_routes import SEGMENT_S, columns_url, input_url, result_url
from saga_sr.app.enhancement import CANCELLED, DONE, FAILED, RUNNING, WAITING
from saga_sr.app.service import Service
from saga_sr.app.words import Words
from saga_sr.app.workspace import Entry
from saga_sr.audio.timecode import clock
from saga_sr.inference.measurement import OUTPUT_RATE, Measurement, decibels


def rows(service: Service, entries: Sequence[Entry], words: Words) -> list[dict[str, Any]]:
    """What the list of recordings shows."""
    return [
        {
            "key": entry.key,
            "name": entry.name,
            "facts": _facts(entry, words),
            "state": _state(service, entry, words),
            "failure": words.sentence(
                entry.failure or (entry.said(entry.enhancement.failure) if entry.enhancement else "")
            ),
            "share": _share(entry),
            "remove": words("remove", name=entry.name),
        }
        for entry in entries
    ]


def _facts(entry: Entry, words: Words) -> str:
    """Length, where content ends, level and faults of a recording."""
    measurement = entry.measurement
    if measurement is None:
        return ""
    info, levels = measurement.info, measurement.heard.levels
    loudest = decibels(max(level.peak for level in levels))
    said = [clock(info.duration_s).strip(), f"{info.sample_rate / 1000:g} kHz", *(n for n in [info.container] if n)]
    said += [words("silent")] if loudest is None else [_content(entry, words), words("peak", db=f"{loudest:.1f}")]
    for kind in ("clipped", "above_full_scale"):
        count = sum(level.places()[kind].count for level in levels)
        said += [words(kind, count=count)] if count else []
    return " · ".join(said)


def _content(entry: Entry, words: Words) -> str:
    if entry.edges is not None:
        return words("corrected")
    missing = [edge.hz / 1000 for channel in entry.edges_to_restore for edge in channel if edge.hz < OUTPUT_RATE / 2]
    if not missing:
        return words("full")
    low, high = min(missing), max(missing)
    if f"{low:.1f}" == f"{high:.1f}":
        return words("content", khz=f"{low:.1f}")
    return words("content_some", low=f"{low:.1f}", high=f"{high:.1f}")


def _state(service: Service, entry: Entry, words: Words) -> str:
    """How far a recording is."""
    doing = entry.enhancement
    if entry.measurement is None and not entry.failure:
        return words("measuring", percent=f"{100 * entry.measured:.0f}")
    if doing is None or doing.state == FAILED:
        return ""
    if doing.state == WAITING:
        place = service.place(entry)
        return words("waiting", place=place) if place else words("waiting_next")
    if doing.state == CANCELLED:
        return words("cancelled")
    speed = f"{doing.speed:.1f}"
    if doing.state == DONE:
        return " ".join([words("done", time=duration(doing.took_s, words), speed=speed), *map(entry.said, doing.notes)])
    if doing.left_s is None:
        return words("running_first")
    return words("running", percent=f"{100 * _share(entry):.0f}", speed=speed, left=duration(doing.left_s, words))


def _share(entry: Entry) -> float:
    """What of a recording is done, 0 to 1."""
    doing = entry.enhancement
    if doing is None or doing.state not in (RUNNING, DONE) or not doing.total_s:
        return 0.0
    return min(doing.done_s / doing.total_s, 1.0)


def duration(seconds: float, words: Words) -> str:
    """A length of time in words."""
    if seconds < 60:
        return words("seconds", s=f"{seconds:.{0 if seconds >= 1 else 1}f}")
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return words("minutes", m=minutes, s=rest)
    return words("hours", h=minutes // 60, m=minutes % 60)


def player_value(entry: Entry, language: str) -> dict[str, Any] | None:
    """What the player is given of a recording; None if it cannot be read."""
    measurement = entry.measurement
    if measurement is None:
        return None
    duration_s = measurement.info.duration_s
    return {
        "id": entry.key,
        "name": entry.name,
        "language": language,
        "sample_rate": OUTPUT_RATE,
        "duration_s": duration_s,
        "channels": measurement.names,
        "input": _source(input_url(entry), duration_s),
        "result": _result(entry, measurement),
        "edges": [
            [{"begin_s": edge.begin_s, "end_s": edge.end_s, "hz": edge.hz} for edge in channel]
            for channel in entry.edges_to_restore
        ],
    }


def _result(entry: Entry, measurement: Measurement) -> dict[str, Any] | None:
    """What there is to be heard of the newest result."""
    doing = entry.enhancement
    if doing is None or not doing.done_s or doing.state in (FAILED, CANCELLED):
        return None
    ready_s = measurement.info.duration_s if doing.state == DONE else doing.done_s
    return _source(result_url(entry), ready_s)


def _source(url: str, ready_s: float) -> dict[str, Any]:
    return {"url": url, "columns": columns_url(url), "segment_s": SEGMENT_S, "ready_s": ready_s}
