"""Places in a recording as people read them."""

from __future__ import annotations


def timecode(seconds: float) -> str:
    """`seconds` as h:mm:ss.mmm."""
    milliseconds = int(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
