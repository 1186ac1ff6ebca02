"""What of a file could not be decoded, where, and how it is told."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

from saga_sr.audio.timecode import timecode

# Places nearer to each other than this are one, and no more are listed than this.
APART_S, LISTED = 1.0, 3


@dataclass
class Damage:
    """What of a recording is missing or faulty, in samples of `sample_rate`.

    Attributes:
        places: stretches (first, end) that are silent, or perhaps not what was recorded, in order.
        missing_s: how much less there is than the file's header tells, at its end, in seconds.
    """

    sample_rate: int
    places: list[tuple[int, int]] = field(default_factory=list)
    missing_s: float = 0.0

    def add(self, first: int, count: int) -> None:
        """Note that `count` samples from `first` on are not as recorded."""
        near = APART_S * self.sample_rate
        begin = bisect_left(self.places, first - near, key=lambda place: place[1])
        end = bisect_right(self.places, first + count + near, key=lambda place: place[0])
        joined = [(first, first + count), *self.places[begin:end]]
        self.places[begin:end] = [(min(place[0] for place in joined), max(place[1] for place in joined))]

    def overlaps(self, first: int, end: int) -> bool:
        """Whether anything between the samples `first` and `end` is not as recorded."""
        return any(place[0] < end and first < place[1] for place in self.places)

    def __bool__(self) -> bool:
        return bool(self.places) or self.missing_s > 0

    def __str__(self) -> str:
        """Where and how much, to follow the file's name."""
        said = []
        if self.places:
            total_s = sum(end - first for first, end in self.places) / self.sample_rate
            where = [timecode(first / self.sample_rate) for first, _ in self.places[:LISTED]]
            more = len(self.places) - len(where)
            listed = ", ".join(where) + (f" and {more} more places" if more else "")
            said.append(f"is damaged at {listed} ({total_s:.2f} s in all; what cannot be decoded is silent)")
        if self.missing_s > 0:
            said.append(f"breaks off {timecode(self.missing_s)} before the end that its header tells")
        return " and ".join(said)
