"""Restoring a stream while it comes in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from torch import Tensor

from saga_sr.audio.full_scale import FullScale
from saga_sr.audio.limiter import LOOK_AHEAD_S
from saga_sr.core.errors import AudioError
from saga_sr.inference.arrays import as_batch, is_fixed_point
from saga_sr.inference.chunks import CrossFade, Span
from saga_sr.inference.finite import FiniteBlocks
from saga_sr.inference.notes import warn
from saga_sr.inference.recordings import ArrayReader, Reader, Recording, StreamReader
from saga_sr.inference.session import Look, Session


class EnhancedStream:
    """The restored blocks of a stream, as an iterator.

    Attributes:
        sample_rate: of the blocks that come out, in Hz.
        delay_s: how much later than the samples that went in the restored ones come out, at most, in seconds. All
            samples come out, the last ones when the stream ends.
    """

    def __init__(self, session: Session, blocks: Iterable[Any], sample_rate: int) -> None:
        self.sample_rate = session.model.sample_rate
        self.session = session
        self.source_rate = sample_rate
        context = Recording(StreamReader(1, sample_rate), self.sample_rate).context
        self.delay_s = (session.reach((0, session.plan.chunk))[1] + context) / self.sample_rate + LOOK_AHEAD_S
        self._results = self._run(iter(blocks))

    def __iter__(self) -> EnhancedStream:
        return self

    def __next__(self) -> Any:
        return next(self._results)

    def _run(self, blocks: Iterator[Any]) -> Iterator[Any]:
        """The restored blocks of the kind of those that came."""
        restored = self._restored_blocks(blocks)
        for first in restored:  # by then it is known what kind that is
            way = self.session.settings.clip if self._fixed_point else None
            # The peak of a stream is known when all of it is out.
            full_scale = FullScale("limit" if way == "scale" else way, self.sample_rate)
            for block in full_scale.fit(chain([first], restored)):
                yield self._back(block[None])
            warn(full_scale.notes("The stream"))

    def _restored_blocks(self, blocks: Iterator[Any]) -> Iterator[Tensor]:
        recording, look = None, None
        plan, finite = self.session.plan, FiniteBlocks(self.source_rate, self.session.settings.nan)
        fade, begin = CrossFade(plan), 0
        for block in blocks:
            batch, self._back = as_batch(block)
            self._fixed_point = is_fixed_point(block)
            if recording is None:
                recording = Recording(StreamReader(batch.shape[1], self.source_rate), self.sample_rate)
            reader = recording.reader
            assert isinstance(reader, StreamReader)
            if batch.shape[:2] != (1, reader.info.channels):
                raise AudioError(
                    f"A block has the shape {list(batch.shape[-2:])} where the first had {reader.info.channels} "
                    "channel(s); give blocks [channel, time] of one stream."
                )
            reader.append(finite.next(batch[0]))
            # A chunk is ready when what its resampling reaches is there, and it is not the last.
            while recording.length > self.session.reach((begin, begin + plan.chunk))[1] + recording.context:
                span = (begin, begin + plan.chunk)
                look = look or self._look(reader, span)
                yield fade.join(self._chunk(recording, span, look), last=False)
                begin += plan.hop
                reader.drop_before(recording.file_start(self.session.reach((begin, begin))[0]))
        finite.end()
        if recording is None:
            return
        for span in plan.spans(recording.length - begin):
            span = (begin + span[0], begin + span[1])
            look = look or self._look(recording.reader, span)
            last = span[1] == recording.length
            yield fade.join(self._chunk(recording, span, look), last)

    def _look(self, reader: Reader, first: Span) -> Look:
        """What the stream was seen to be in its `first` chunk, however it came in blocks."""
        frames = -(-first[1] * self.source_rate // self.sample_rate)
        return self.session.look(
            Recording(ArrayReader(reader.read(0, frames), self.source_rate), self.sample_rate), steady=True
        )

    def _chunk(self, recording: Recording, span: Span, look: Look) -> Tensor:
        return self.session.restore([recording], [span], look)[0, 0]
