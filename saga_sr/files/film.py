"""Files with a picture, of which all but the sound that is replaced is copied packet by packet."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import av.logging
from av.container import OutputContainer
from av.stream import Disposition, Stream

from saga_sr.core.errors import AudioError
from saga_sr.files.ffmpeg_container import ENCODERS, open_container
from saga_sr.files.ffmpeg_stream import HOPELESS, FfmpegStream

# What containers of the MP4 family tell of themselves alone, and what is made anew.
OF_THE_FILE = ("major_brand", "minor_version", "compatible_brands", "encoder", "encoding_tool")
OF_THE_SOUND = ("language", "title", "handler_name")
# Pictures that do not tell by themselves what shape their pixels have.
SHAPELESS = ("vp8", "vp9", "av1")
# What chapters and time codes are to a demuxer of MP4; they are written anew.
UNKNOWN = "an unknown kind"
MADE_ANEW = ("bin_data", UNKNOWN)


class Film:
    """A file with a picture, open to be copied but for one stream of audio.

    Args:
        name: of the format that its copy will have.
        number: of the stream that is replaced, among those of audio, counted from 1; the first where left out.
        maker: what the copy is to tell that has made it; None for a copy without what the film tells of itself.

    Attributes:
        sound_at_s: when the first sample of that stream is heard, in seconds from the beginning of the copy.
        notes: what the copy goes without, a sentence each.

    Raises:
        AudioError: it cannot be read, or holds no such stream, no picture, or one that the format cannot hold.
    """

    def __init__(self, path: Path, name: str, number: int | None = None, maker: str | None = None) -> None:
        self.path, self._name, self._maker = path, name, maker
        self.notes: list[str] = []
        begin = _first_sample(path, number)
        self._container, self._descriptor = open_container(path)
        self._pictures = [stream for stream in self._container.streams.video if _is_picture(stream)]
        try:
            self._check_pictures()
        except AudioError:
            self.close()
            raise
        # As ffmpeg does: what begins later than at 0, as streams that were broadcast, begins there.
        self._start_s = max(Fraction(self._container.start_time or 0, 1_000_000), Fraction(0))
        self.sound_at_s = begin - self._start_s
        self._sound = self._container.streams.audio[(number or 1) - 1]
        self._copies: dict[int, Stream] = {}
        self._packets: Iterator[av.Packet] = iter(())
        self._waiting: av.Packet | None = None

    def _check_pictures(self) -> None:
        """See that there are pictures, and that a file of the format can hold them.

        Raises:
            AudioError: there are none, or it cannot.
        """
        if not self._pictures:
            raise AudioError(
                f"{self.path} holds no picture; leave keep_video= out, and choose a suffix of sound, as .flac."
            )
        if not self._can_hold(self._pictures):
            kinds = " and ".join(dict.fromkeys(map(_codec, self._pictures)))
            mend = "convert it first" if self._name == "MKV" else "give the result the suffix .mkv"
            raise AudioError(f"{self.path} has a picture in {kinds}, which {self._name} cannot hold; {mend}.")

    def _can_hold(self, streams: Sequence[Stream]) -> bool:
        """Whether a file of the format begins with `streams`; it is tried."""
        with av.logging.Capture():
            try:
                output = av.open(BytesIO(), "w", format=ENCODERS[self._name][0])
                for stream in streams:
                    _copy_of(stream, output)
                output.start_encoding()
            except (av.error.FFmpegError, ValueError):
                return False
        return True

    def add_to(self, output: OutputContainer, add_sound: Callable[[], av.AudioStream]) -> av.AudioStream:
        """Add the streams of the film to `output` in their order, what `add_sound` makes in the place of the sound."""
        sound = None
        for stream in self._container.streams:
            if stream is self._sound:
                sound = add_sound()
                sound.metadata.update({key: text for key, text in stream.metadata.items() if key in OF_THE_SOUND})
                sound.metadata.update({"encoder": self._maker} if self._maker else {})
                sound.disposition = stream.disposition
            elif self._name == "MKV" and stream.disposition & Disposition.attached_pic:
                self._attach(output, stream)
            elif stream.type == "data" and _codec(stream) in MADE_ANEW:
                pass
            elif stream in self._pictures or self._can_hold([*self._pictures, stream]):
                self._copies[stream.index] = _copy_of(stream, output)
            else:
                self.notes.append(
                    f"{self.path} has a stream of {stream.type} ({_codec(stream)}) that {self._name} cannot hold, and "
                    "that is left out."
                )
        assert sound is not None
        self._tell(output)
        self._check_shape()
        copied = [stream for stream in self._container.streams if stream.index in self._copies]
        self._packets = self._read([stream for stream in copied if stream.type != "attachment"])
        self._waiting = next(self._packets, None)
        return sound

    def _check_shape(self) -> None:
        """See whether pixels that are no squares stay so; Matroska tells it in a place that PyAV does not reach."""
        for picture in self._pictures:
            shape = picture.sample_aspect_ratio
            if self._name in ("MKV", "WebM") and shape not in (None, 1) and _codec(picture) in SHAPELESS:
                self.notes.append(
                    f"{self.path} has pixels of {shape.numerator}:{shape.denominator}, which are shown as squares in "
                    f"{self._name}; choose that ratio in the player."
                )

    def _attach(self, output: OutputContainer, cover: Stream) -> None:
        """Attach a cover, as Matroska has it; demuxers give covers before all else."""
        kind = _codec(cover).replace("mjpeg", "jpeg")
        name = cover.metadata.get("filename", f"cover.{kind.replace('jpeg', 'jpg')}")
        output.add_attachment(name, f"image/{kind}", bytes(next(self._container.demux(cover))))

    def _tell(self, output: OutputContainer) -> None:
        """Have `output` tell what the film tells of itself, and its chapters."""
        if self._maker is not None:
            texts = self._container.metadata.items()
            output.metadata.update({key: text for key, text in texts if key.lower() not in OF_THE_FILE})
            output.metadata["encoding_tool"] = self._maker
        chapters = self._container.chapters()
        for chapter in chapters:
            shift = round(self._start_s / (chapter["time_base"] or 1))
            chapter["start"], chapter["end"] = max(chapter["start"] - shift, 0), max(chapter["end"] - shift, 0)
        output.set_chapters(chapters)

    def _read(self, streams: list[Stream]) -> Iterator[av.Packet]:
        """The packets of `streams`, from the beginning of the copy on; what cannot be read is passed over."""
        packets, errors = self._container.demux(streams), 0
        while errors < HOPELESS:
            with av.logging.Capture():
                try:
                    packet = next(packets)
                except (StopIteration, IndexError):  # PyAV stumbles at the end where streams appeared on the way
                    return
                except (av.error.FFmpegError, ValueError):
                    errors, packets = errors + 1, self._container.demux(streams)
                    continue
            errors = 0
            if packet.size:
                shift = round(self._start_s / packet.time_base)
                packet.pts = None if packet.pts is None else packet.pts - shift
                packet.dts = None if packet.dts is None else packet.dts - shift
                yield packet

    def copy(self, output: OutputContainer, until_s: float = math.inf) -> None:
        """Copy what comes before `until_s` and was not copied yet.

        Raises:
            FFmpegError: it cannot be written.
        """
        while self._waiting is not None and _time_s(self._waiting) < until_s:
            self._waiting.stream = self._copies[self._waiting.stream.index]
            output.mux_one(self._waiting)
            self._waiting = next(self._packets, None)

    def stop(self) -> None:
        """Copy no more."""
        self._waiting = None

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        os.close(self._descriptor)

    def __enter__(self) -> Film:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _first_sample(path: Path, number: int | None) -> Fraction:
    """When the first sample of a stream of audio is heard, in seconds."""
    stream = FfmpegStream(path, number)
    try:
        for decoded in stream.decoded():
            for frame in decoded.frames:
                return (frame.pts or 0) * Fraction(frame.time_base or 0)
    finally:
        stream.close()
    return Fraction(0)


def _copy_of(stream: Stream, output: OutputContainer) -> Stream:
    """A stream of `output` for the packets of `stream`.

    Raises:
        ValueError: it cannot hold them.
    """
    copy = output.add_stream_from_template(stream, opaque=True)
    if stream.codec_context and stream.codec_context.codec_tag == "hvc1":
        copy.codec_context.codec_tag = "hvc1"  # without it, players of Apple's show no picture
    if isinstance(stream, av.VideoStream) and stream.sample_aspect_ratio:
        assert isinstance(copy, av.VideoStream)
        copy.codec_context.sample_aspect_ratio = stream.sample_aspect_ratio  # a container's, too
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition
    return copy


def _is_picture(stream: Stream) -> bool:
    """Whether it is one that moves, and not the cover of a record."""
    return stream.type == "video" and not stream.disposition & Disposition.attached_pic


def _codec(stream: Stream) -> str:
    """What a stream is encoded in."""
    if stream.codec_context:
        return stream.codec_context.codec.canonical_name
    return getattr(stream, "name", None) or UNKNOWN


def _time_s(packet: av.Packet) -> float:
    """When a packet is due; one that does not tell is at once."""
    time = packet.pts if packet.dts is None else packet.dts
    return -math.inf if time is None else float(time * packet.time_base)
