"""How much is missing between the packets of a stream that can be decoded."""

from __future__ import annotations

from typing import Protocol

from saga_sr.files.ffmpeg_stream import Decoded, FfmpegStream

# Files of bare packets: their time stamps are counted, and only bytes tell that some are missing.
BARE = ("aac", "ac3", "dts", "eac3", "loas", "mp3", "truehd")
# What stands between packets of audio without being any.
TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN")
# A longer jump of time stamps is a new beginning, as where recordings were joined.
LONGEST_GAP_S = 60.0


class Timekeeper(Protocol):
    """Is shown every packet in order."""

    def lost_before(self, decoded: Decoded, count: int, sample_rate: int) -> int:
        """How many samples are missing between the last good packet and this one, which became `count`."""


def timekeeper_of(stream: FfmpegStream) -> Timekeeper:
    """By time stamps where the file has any, by bytes where it is packets only."""
    return BytePositions(stream) if stream.format in BARE else TimeStamps(stream.tick_s)


class TimeStamps:
    """Compares where a packet begins with where the one before it ended.

    Where a packet begins may be told wrongly (of Vorbis, where long blocks give way to short ones), and what becomes of
    it may be less than it was (at the beginning, where an encoder's delay is taken off). What is lost shows in both:
    where a packet begins, and where it ends beside what became of it.
    """

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._end_s: float | None = None
        self._count = 0

    def lost_before(self, decoded: Decoded, count: int, sample_rate: int) -> int:
        """See `Timekeeper`; time stamps that go back, or far ahead, are passed over."""
        packet = decoded.packet
        if packet.pts is None:
            if self._end_s is not None and count:
                self._end_s += count / sample_rate
            return 0
        begin_s, length_s = packet.pts * self._tick_s, (packet.duration or 0) * self._tick_s
        if self._end_s is None:
            self._end_s = begin_s
        if decoded.failed:
            return 0
        became_s = count / sample_rate if count else 0.0
        gap_s = begin_s - self._end_s
        if length_s:
            gap_s = min(gap_s, gap_s + length_s - became_s)
        length_s = length_s or became_s
        self._end_s = begin_s + length_s if length_s else None
        lost = 0
        if max(length_s / 2, 2 * self._tick_s) < gap_s < LONGEST_GAP_S and sample_rate:
            lost = self._whole(gap_s * sample_rate, 3 * self._tick_s * sample_rate)
        self._count = count or self._count
        return lost

    def _whole(self, lost: float, tolerance: float) -> int:
        """`lost` samples, or those of whole packets if they are as many as far as time stamps can tell."""
        packets = round(lost / self._count) if self._count else 0
        exact = packets * self._count
        return exact if packets and abs(lost - exact) <= tolerance else round(lost)


class BytePositions:
    """Compares the bytes between two good packets with those of a packet."""

    def __init__(self, stream: FfmpegStream) -> None:
        self._stream = stream
        self._end: int | None = None
        self._mean_size, self._samples = 0.0, 0

    def lost_before(self, decoded: Decoded, count: int, sample_rate: int) -> int:
        """See `Timekeeper`; in whole packets."""
        packet, lost = decoded.packet, 0
        if packet.pos is None or not packet.size:
            return 0
        if self._end is None:
            self._end = packet.pos
        if decoded.failed:
            return 0
        gap, size = packet.pos - self._end, self._mean_size or packet.size
        if gap > size / 2 and not self._stream.bytes_at(self._end, 16).startswith(TAGS):
            lost = round(gap / size) * (self._samples or count)
        self._end = packet.pos + packet.size
        if count:
            self._mean_size = size + (packet.size - size) / 32
        self._samples = max(self._samples, count)
        return lost
