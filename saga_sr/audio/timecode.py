"""Places in a recording as people read them."""

from __future__ import annotations


def timecode(seconds: float) -> str:
    """`seconds` as h:mm:ss.mmm."""
    milliseconds = int(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


def clock(seconds: float) -> str:
    """`seconds` as m:ss.s, or as h:mm:ss from an hour on."""
    tenths = int(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    if minutes >= 60:
        return f"{minutes // 60}:{minutes % 60:02}:{rest // 10:02}"
    return f"{minutes}:{rest // 10:02}.{rest % 10}"
