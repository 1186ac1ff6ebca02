"""One stream of audio in a file, as ffmpeg's libraries find and decode it (PyAV)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import av.logging
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.stream import Discard

from saga_sr.core.errors import AudioError
from saga_sr.files.ffmpeg_container import open_container

# What tells the length of an MP3 file, in its first frame; without it the demuxer estimates.
MP3_HEADERS = (b"Xing", b"Info", b"VBRI")
# How Matroska tells the end of a stream.
DURATION = re.compile(r"(\d+):(\d+):(\d+\.?\d*)")
# A file is at its end when so many packets in a row cannot be read.
HOPELESS = 100


class Decoded(NamedTuple):
    """What became of a packet.

    Attributes:
        frames: of audio; a decoder may hold them back, and give several at once.
        failed: nothing could be decoded.
        faulty: the decoder complained.
    """

    packet: av.Packet
    frames: list[AudioFrame]
    failed: bool
    faulty: bool


class FfmpegStream:
    """An open file, of which one stream is decoded.

    The file is opened by its descriptor, so that neither its name nor its suffix play a part.

    Args:
        number: of the stream, counted from 1 among those of audio; the first where left out.

    Attributes:
        told_s: the length in seconds that the header tells, or None.
        streams: a description of each stream of audio.

    Raises:
        AudioError: no format or codec that is known, no audio, or no such stream.
    """

    def __init__(self, path: Path, number: int | None = None) -> None:
        self.path = path
        self._container, self._descriptor = open_container(path)
        try:
            self._stream = self._chosen(number)
        except AudioError:
            self.close()
            raise
        self.told_s = self._told_s()

    def _chosen(self, number: int | None) -> av.AudioStream:
        audio = self._container.streams.audio
        self.streams = [f"{i} {_described(stream)}" for i, stream in enumerate(audio, 1)]
        if not audio:
            raise AudioError(f"{self.path} holds no audio, only other streams; give a recording.")
        if number is not None and not 1 <= number <= len(audio):
            raise AudioError(f"{self.path} has no audio stream {number}; choose one of {', '.join(self.streams)}.")
        chosen = audio[(number or 1) - 1]
        for stream in self._container.streams:
            if stream is not chosen:
                stream.discard = Discard.all
        if chosen.codec_context is None or not chosen.codec_context.sample_rate:
            raise AudioError(f"{self.path} has audio of an unknown kind; convert it to WAV or FLAC.")
        chosen.codec_context.thread_count = 1
        return chosen

    def _told_s(self) -> float | None:
        """Where demuxers take the length from the header, and not from what they find in the file."""
        if self.format == "matroska":
            end_s = self._end_in_matroska_s()
            return None if end_s is None else end_s - (self._stream.start_time or 0) * self.tick_s
        told = self.format in ("mov", "flac") or (self.format == "mp3" and self._mp3_tells_its_length())
        return self._stream.duration * self.tick_s if told and self._stream.duration else None

    def _end_in_matroska_s(self) -> float | None:
        """Where the stream ends; the file's own end is that of its longest stream, which may be the picture."""
        told = DURATION.fullmatch(self._stream.metadata.get("DURATION", ""))
        if told:
            hours, minutes, seconds = map(float, told.groups())
            return 3600 * hours + 60 * minutes + seconds
        duration = self._container.duration if len(self._container.streams) == 1 else None
        return duration / 1_000_000 if duration else None

    def _mp3_tells_its_length(self) -> bool:
        frame = self.bytes_at(_tag_length(self.bytes_at(0, 10)), 200)
        return any(header in frame for header in MP3_HEADERS)

    @property
    def format(self) -> str:
        """The container's name, the first of those that ffmpeg gives it."""
        return self._container.format.name.partition(",")[0]

    @property
    def codec(self) -> str:
        """The decoder's name."""
        return self._stream.codec_context.name

    @property
    def sample_rate(self) -> int:
        """In Hz, as the header tells it."""
        return self._stream.codec_context.sample_rate

    @property
    def channels(self) -> int:
        """As many as the header tells."""
        return self._stream.codec_context.channels

    @property
    def speakers(self) -> list[str]:
        """What each channel is for, as ffmpeg calls it: FL, FR, ..."""
        return [channel.name for channel in self._stream.codec_context.layout.channels]

    @property
    def texts(self) -> dict[str, str]:
        """What the file tells of itself, by ffmpeg's names."""
        return {**self._container.metadata, **self._stream.metadata}

    @property
    def frame_size(self) -> int:
        """Samples of a packet where all have as many, or 0."""
        return self._stream.codec_context.frame_size

    @property
    def tick_s(self) -> float:
        """The unit of packets' time stamps in seconds."""
        return float(self._stream.time_base or 0)

    def bytes_at(self, position: int, count: int) -> bytes:
        """Some bytes of the file itself."""
        return os.pread(self._descriptor, count, position)

    def packets(self) -> Iterator[av.Packet]:
        """What follows, not decoded, as far as the demuxer comes without an error; the last has no content."""
        packets = self._container.demux(self._stream)
        while True:
            with av.logging.Capture():
                try:
                    packet = next(packets)
                except (StopIteration, IndexError, av.error.FFmpegError, ValueError):
                    return
            yield packet

    def decoded(self) -> Iterator[Decoded]:
        """What follows, packet by packet; the last has no content and brings out what a decoder held back."""
        packets, errors, tag_end = self._container.demux(self._stream), 0, 0
        while errors < HOPELESS:
            with av.logging.Capture() as said:
                try:
                    packet = next(packets)
                except (StopIteration, IndexError):  # PyAV stumbles at the end where streams appeared on the way
                    return
                except (av.error.FFmpegError, ValueError):
                    errors, packets = errors + 1, self._container.demux(self._stream)
                    continue
                if not packet.size and packet.pts is not None:
                    continue  # an empty packet would end the decoding
                errors, frames = 0, None
                # Joined MP3 files have a tag in their middle, which demuxers know at the beginning only.
                if self.format == "mp3" and packet.size and (length := _tag_length(bytes(packet)[:10])):
                    tag_end = (packet.pos or 0) + length
                try:
                    frames = self._decode(packet, tag_end)
                except av.error.EOFError:
                    return
                except (av.error.FFmpegError, ValueError):
                    pass
            faulty = any(level <= av.logging.ERROR for level, _, _ in said)
            yield Decoded(packet, frames or [], frames is None, faulty)

    def _decode(self, packet: av.Packet, tag_end: int) -> list[AudioFrame]:
        """What a packet becomes without those of its bytes that lie before `tag_end`."""
        if packet.size and packet.pos is not None and packet.pos < tag_end:
            rest = bytes(packet)[tag_end - packet.pos :]
            return self._stream.codec_context.decode(av.Packet(rest)) if rest else []
        return self._stream.codec_context.decode(packet)

    def seek(self, time_stamp: int) -> None:
        """Go to the packet with `time_stamp`, or one before it.

        Raises:
            FFmpegError: the demuxer cannot.
        """
        with av.logging.Capture():
            self._container.seek(time_stamp, stream=self._stream)

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        os.close(self._descriptor)


class OneKind:
    """Frames as they come, or resampled to the rate and channels of the first where those change.

    Attributes:
        sample_rate, channels: of the first frame, and of all that come out.
        changed: whether anything had to be resampled.
    """

    def __init__(self) -> None:
        self.sample_rate = self.channels = 0
        self.changed = False
        self._resampler: AudioResampler | None = None
        self._kind: tuple[int, int] | None = None

    def of(self, decoded: Decoded, path: Path) -> list[AudioFrame]:
        """What the frames of a packet become.

        Raises:
            AudioError: they cannot be resampled.
        """
        try:
            return self._joined(decoded.frames) + ([] if decoded.packet.size else self._flush())
        except (av.error.FFmpegError, ValueError) as error:
            raise AudioError(
                f"{path} changes in mid-file from {self.channels} channel(s) at {self.sample_rate} Hz to what cannot "
                "be joined to it; cut it there and enhance the parts."
            ) from error

    def _joined(self, frames: list[AudioFrame]) -> list[AudioFrame]:
        results = []
        for frame in frames:
            kind = frame.sample_rate, frame.layout.nb_channels
            if self._kind is None:
                self.sample_rate, self.channels = kind
                self._layout = frame.layout.name
            if kind != self._kind:
                results += self._flush()
                if kind != (self.sample_rate, self.channels):
                    self.changed = True
                    self._resampler = AudioResampler("fltp", self._layout, self.sample_rate)
                self._kind = kind
            frame.pts = None
            results += [frame] if self._resampler is None else self._resampler.resample(frame)
        return results

    def _flush(self) -> list[AudioFrame]:
        """What a resampler still holds."""
        rest = self._resampler.resample(None) if self._resampler else []
        self._resampler = None
        return rest


def _tag_length(start: bytes) -> int:
    """How long the ID3 tag is that begins with these ten bytes; 0 where none does."""
    if not start.startswith(b"ID3") or len(start) < 10:
        return 0
    return 10 + sum(part << 7 * i for i, part in enumerate(reversed(start[6:])))


def _described(stream: av.AudioStream) -> str:
    context, language = stream.codec_context, stream.metadata.get("language", "")
    kind = f"{context.name}, {context.channels} channel(s)" if context else "unknown"
    return f"({language}, {kind})" if language else f"({kind})"
