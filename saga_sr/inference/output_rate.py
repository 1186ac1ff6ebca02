"""Results at another rate than the model's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from saga_sr.inference.recordings import Recording, StreamReader


def at_rate(blocks: Iterable[Tensor], from_hz: int, to_hz: int, length: int) -> Iterator[Tensor]:
    """The first `length` samples, at another rate, of a signal that comes in `blocks` [c, time].

    However it is cut into blocks, the samples are those of `resample` on all of it, and no later.
    """
    if from_hz == to_hz:
        yield from blocks
        return
    recording, done = None, 0
    for block in blocks:
        recording = recording or Recording(StreamReader(len(block), from_hz), to_hz)
        reader = recording.reader
        assert isinstance(reader, StreamReader)
        reader.append(block)
        # What resampling reaches behind it has come.
        ready = min(recording.length - recording.context - recording.step, length)
        if ready > done:
            yield recording.read(done, ready)
            done = ready
            reader.drop_before(recording.file_start(done))
    if recording is not None and done < length:
        yield recording.read(done, length)
