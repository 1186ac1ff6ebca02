"""What enhancing gives back: audio or a file, with what was seen of it, to hear and to see in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from saga_sr.audio.edges import Edge
from saga_sr.core.errors import SagaError
from saga_sr.core.imports import extras_named
from saga_sr.inference.arrays import as_batch
from saga_sr.inference.measurement import Heard

# Of a batch.
MOST_RECORDINGS = 4


@dataclass(frozen=True)
class Enhanced:
    """What was done to a file; in a notebook, its beginning before and after.

    Attributes:
        source, target: the recording and its result.
        duration_s: its length in seconds.
        edges: where the content of each channel ended, stretch by stretch.
        restored: whether anything was generated; a full band, or silence, is only resampled.
        notes: what should be known of it, a sentence each; they are logged as warnings, too.
        heard: what was measured of it; None where it was told where content ends.
    """

    source: Path
    target: Path
    duration_s: float
    edges: list[list[Edge]]
    restored: bool
    notes: tuple[str, ...] = ()
    heard: Heard | None = None

    @property
    def cutoff_hz(self) -> float:
        """The lowest edge of all."""
        return min(edge.hz for channel in self.edges for edge in channel)

    def _repr_html_(self) -> str:
        return _html(self._before_after)

    def _before_after(self) -> str:
        from saga_sr.files.reading import AudioReader
        from saga_sr.pages.before_after import before_after, shown_samples

        beginnings = []
        for path in (self.source, self.target):
            with AudioReader(path, flawless=False) as reader:
                most = min(shown_samples(reader.info.channels), reader.info.frames)
                beginnings.append((reader.read(0, most), reader.info.sample_rate))
        (before, before_hz), (after, after_hz) = beginnings
        shown = before_after(before, before_hz, after, after_hz, self.edges, str(self.target), self.duration_s)
        return shown + "".join(f"<p>{escape(note)}</p>" for note in self.notes)


class _AudioAndRate(NamedTuple):
    audio: Any
    sample_rate: int


class EnhancedAudio(_AudioAndRate):
    """The pair (audio, sample_rate), which unpacks as such and plays in a notebook, beside what it was made of.

    Attributes:
        source: what came in, at `source_rate`; not a copy.
        edges: of each recording of the batch, where the content of each channel ended, stretch by stretch.
    """

    source: Any
    source_rate: int
    edges: list[list[list[Edge]]]

    def __new__(
        cls, audio: Any, sample_rate: int, source: Any, source_rate: int, edges: list[list[list[Edge]]]
    ) -> EnhancedAudio:
        """See the class."""
        result = super().__new__(cls, audio, sample_rate)
        result.source, result.source_rate, result.edges = source, source_rate, edges
        return result

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.audio, self.sample_rate, self.source, self.source_rate, self.edges

    @property
    def duration_s(self) -> float:
        """Of each recording, in seconds."""
        return self.audio.shape[-1] / self.sample_rate

    def excerpt(self, begin_s: float, end_s: float) -> EnhancedAudio:
        """The stretch from `begin_s` to `end_s`; what is long is shown from its beginning on."""
        cut = [
            audio[..., round(begin_s * rate) : round(end_s * rate)]
            for audio, rate in ((self.audio, self.sample_rate), (self.source, self.source_rate))
        ]
        edges = [[_within(channel, begin_s, end_s) for channel in recording] for recording in self.edges]
        return EnhancedAudio(cut[0], self.sample_rate, cut[1], self.source_rate, edges)

    def __repr__(self) -> str:
        shape = list(self.audio.shape)
        return f"<EnhancedAudio {shape} at {self.sample_rate} Hz, {self.duration_s:.2f} s; unpacks as audio, rate>"

    def _repr_html_(self) -> str:
        return _html(self._before_after)

    def _before_after(self) -> str:
        from saga_sr.pages.before_after import before_after

        before, after = as_batch(self.source)[0], as_batch(self.audio)[0]
        shown = [
            before_after(
                *(before[i], self.source_rate, after[i], self.sample_rate, self.edges[i]),
                "Result" if len(after) == 1 else f"Recording {i + 1} of {len(after)}",
                self.duration_s,
            )
            for i in range(min(len(after), MOST_RECORDINGS))
        ]
        rest = len(after) - len(shown)
        return "".join(shown) + (f"<p>{rest} more are not shown.</p>" if rest else "")


def _within(edges: list[Edge], begin_s: float, end_s: float) -> list[Edge]:
    """Those `edges` that lie in a stretch, in its own time."""
    return [
        replace(edge, begin_s=max(edge.begin_s - begin_s, 0.0), end_s=min(edge.end_s, end_s) - begin_s)
        for edge in edges
        if edge.begin_s < end_s and edge.end_s > begin_s
    ]


def _html(make: Callable[[], str]) -> str:
    """What `make` makes, or why it cannot: a missing extra, or a file that is gone."""
    try:
        with extras_named():
            return make()
    except SagaError as error:
        return f"<p>{escape(str(error))}</p>"
