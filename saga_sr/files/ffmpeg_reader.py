"""Samples of everything that ffmpeg's libraries decode: any stretch of a stream, each at its place in time."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from itertools import chain, count, islice
from pathlib import Path

import av
import numpy as np

from saga_sr.files.ffmpeg_stream import Decoded, FfmpegStream, OneKind
from saga_sr.files.frame_samples import samples_of
from saga_sr.files.survey import NO_TIME, survey, survey_undecoded

# Decoders whose state is gone after so many packets: from there on they give what they give from the beginning, bit for
# bit. AAC, AC-3 and others draw noise from generators that run on, and are always decoded from the beginning.
PREROLL, ENOUGH = 64, 32
FORGETFUL = ("mp3float", "mp2float", "mp1float", "vorbis", "opus", "flac", "alac", "wavpack")
# Values of samples that stay in memory behind what was read last, since chunks overlap.
KEPT = 4_000_000
# What an encoder adds at the end, in packets, at most; and by how much more than a packet a header's length may be off.
PADDING_PACKETS, TOLERANCE_S = 2, 0.1


class FfmpegSource:
    """A stream of audio, gone through once to know its length and damage, and decoded where it is read.

    Args:
        number: of the stream among those of audio, counted from 1.

    Attributes:
        notes: what a user should know of how the file is read.

    Raises:
        AudioError: no audio that can be decoded, or no such stream.
    """

    def __init__(self, path: Path, number: int | None = None) -> None:
        self.path, self._number = path, number
        self._stream = FfmpegStream(path, number)
        try:
            found = survey_undecoded(self._stream)
            if found is None:
                self._reopen()
                found = survey(self._stream)
        except BaseException:
            self.close()
            raise
        self._packets, self.damage, self._changes = found.packets, found.damage, found.changes
        self.sample_rate, self.channels = found.sample_rate, found.channels
        self.container, self.encoding = self._stream.format, self._stream.codec
        self.floats = self.encoding.startswith("pcm_f")
        self.frames = self._without_padding(found.packets.total, found.packets.longest)
        self._starts = np.concatenate([[0], np.cumsum(np.frombuffer(self._packets.counts, np.int64))])
        self._keys = None
        if self._stream.codec in FORGETFUL and not self._changes:
            positions, times = (_ascending(values) for values in (self._packets.positions, self._packets.times))
            self._keys, self._by_position = (times, False) if positions is None else (positions, True)
        self.notes = self._notes()
        self._blocks: Iterator[np.ndarray] = iter(())
        self._kept: deque[np.ndarray] = deque()
        self._kept_from = self._position = 0
        self._restart(0)

    def _reopen(self) -> None:
        """Go back to the beginning, with a decoder that knows of nothing."""
        self._stream.close()
        self._stream = FfmpegStream(self.path, self._number)

    def _without_padding(self, total: int, longest: int) -> int:
        """How many of `total` samples the header tells of, where it tells; what an encoder added is at the end."""
        told_s = self._stream.told_s
        if told_s is None or self._changes:
            return total
        told = round(told_s * self.sample_rate)
        if self._stream.format != "matroska" and 0 < total - told < PADDING_PACKETS * longest:
            return told
        if told - total > longest + TOLERANCE_S * self.sample_rate:
            self.damage.missing_s = told_s - total / self.sample_rate
        return total

    def _notes(self) -> tuple[str, ...]:
        streams, notes = self._stream.streams, []
        if len(streams) > 1 and self._number is None:
            listed = ", ".join(streams)
            notes.append(f"has {len(streams)} streams of audio, {listed}; the first is taken, stream= chooses another")
        if self._changes:
            notes.append(
                f"changes its rate or channels in mid-file; all of it is read as {self.channels} channel(s) at "
                f"{self.sample_rate} Hz"
            )
        return tuple(notes)

    def read(self, start: int, frames: int) -> np.ndarray:
        """Samples [channels, frames] from `start` on, float32."""
        if start < self._kept_from or self._far(start):
            self._restart(start)
        while self._position < start + frames:
            block = next(self._blocks, None)
            if block is None:
                block = np.zeros((self.channels, start + frames - self._position), np.float32)
            self._kept.append(block)
            self._position += block.shape[1]
            while self._kept and self._kept_from + self._kept[0].shape[1] <= start - KEPT // self.channels:
                self._kept_from += self._kept.popleft().shape[1]
        result, place = np.empty((self.channels, frames), np.float32), self._kept_from
        for block in self._kept:
            first, last = max(start, place), min(start + frames, place + block.shape[1])
            if first < last:
                result[:, first - start : last - start] = block[:, first - place : last - place]
            place += block.shape[1]
        return result

    def _far(self, start: int) -> bool:
        """Whether seeking is less work than decoding up to `start`."""
        return self._keys is not None and self._packet_at(start) - self._packet_at(self._position) > 2 * PREROLL

    def _packet_at(self, start: int) -> int:
        return int(np.searchsorted(self._starts, start, side="right")) - 1

    def _restart(self, start: int) -> None:
        """Go to the packet that `start` lies in; decoding begins before it, at the beginning if need be."""
        first = self._packet_at(start)
        self._blocks = self._blocks_from(first)
        self._kept.clear()
        self._kept_from = self._position = int(self._starts[first])

    def _blocks_from(self, first: int) -> Iterator[np.ndarray]:
        """Samples of each packet from `first` on, as many as the survey found."""
        counts, kind = self._packets.counts, OneKind()
        for i, decoded in self._after_seeking(first) or self._from_the_beginning():
            if i >= len(counts):
                return
            if i < first and not self._changes:
                continue
            if i >= first and (decoded.failed or decoded.faulty):
                self.damage.add(int(self._starts[i]), counts[i])
            parts = [samples_of(frame) for frame in kind.of(decoded, self.path)]
            silence = np.zeros((self.channels, self._packets.gaps.get(i, 0)), np.float32)
            if i >= first:
                yield _fitted(np.concatenate([silence, *parts], axis=1), counts[i])

    def _from_the_beginning(self) -> Iterator[tuple[int, Decoded]]:
        self._reopen()
        return enumerate(self._stream.decoded())

    def _after_seeking(self, first: int) -> Iterator[tuple[int, Decoded]] | None:
        """Packets with their numbers, from well before `first` on; None where that cannot be had."""
        if self._keys is None or first <= PREROLL or self._packets.times[first - PREROLL] == NO_TIME:
            return None
        try:
            self._stream.seek(self._packets.times[first - PREROLL])
        except av.error.FFmpegError:
            return None
        decoded = self._stream.decoded()
        for one in islice(decoded, ENOUGH):
            key = one.packet.pos if self._by_position else one.packet.pts
            number = int(np.searchsorted(self._keys, NO_TIME if key is None else key))
            if number > first - ENOUGH:
                return None
            if self._keys[number] == key:
                return chain([(number, one)], zip(count(number + 1), decoded, strict=False))
        return None

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def _fitted(samples: np.ndarray, count: int) -> np.ndarray:
    short = count - samples.shape[1]
    return np.pad(samples, ((0, 0), (0, short))) if short > 0 else samples[:, :count]


def _ascending(values: array[int]) -> np.ndarray | None:
    """What packets can be told from each other by: `values`, if they ascend; the last packet has no content."""
    keys = np.frombuffer(values, np.int64)[:-1]
    return keys if len(keys) and keys[0] != NO_TIME and (np.diff(keys) > 0).all() else None
