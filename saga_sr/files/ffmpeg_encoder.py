"""Files that ffmpeg's libraries write (PyAV): M4A, Opus and MP3, and the sound of films."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error
import numpy as np

from saga_sr.files.channel_layout import DEFAULT_MASKS, layout_name
from saga_sr.files.ffmpeg_container import ENCODERS
from saga_sr.files.opus_order import opus_order

if TYPE_CHECKING:
    from saga_sr.files.film import Film

# How ffmpeg calls the numbers that come, and those that the encoder of stored samples takes.
SAMPLES = {"int16": "s16", "int32": "s32", "float32": "flt"}
STORED = {16: "s16", 24: "s32"}


class FfmpegEncoder:
    """A file being written to `path`.

    Args:
        name: of the format.
        kbps: of the sound, in kb/s; None where it cannot be chosen.
        depth: of formats that store samples, 16 or 24.
        film: whose sound it is; all else is copied from there.

    Raises:
        ValueError: a rate or channel count that the encoder does not take.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        sample_rate: int,
        channels: int,
        kbps: int | None,
        depth: int | str | None = None,
        film: Film | None = None,
    ) -> None:
        self._codec, self._name = ENCODERS[name][1], name
        self._sample_rate, self._kbps, self._depth = sample_rate, kbps, depth
        # Equal audio is equal files. The encoder's delay and the padding at the end stand in each, and decoders take
        # them off; the MP4 family tells lengths in units of its own, which shall be samples.
        timescale = {"movie_timescale": str(sample_rate)}
        own = {"M4A": timescale, "MP4": timescale, "MOV": timescale, "MP3": {"id3v2_version": "0"}}
        options = {"fflags": "+bitexact", **own.get(name, {})}
        self._layout = layout_name(DEFAULT_MASKS[channels])
        self._order = opus_order(channels) if self._codec == "libopus" and channels > 2 else slice(None)
        self._film = film
        self._position = self._begin(film.sound_at_s) if film else 0
        self._file = path.open("w+b")
        self._container = av.open(self._file, "w", format=ENCODERS[name][0], options=options)
        try:
            self._stream = film.add_to(self._container, self._sound) if film else self._sound()
        except BaseException:
            self._file.close()
            raise

    def _sound(self) -> av.AudioStream:
        """A stream for the sound, with its encoder.

        Raises:
            ValueError: a rate or channel count that the encoder does not take.
        """
        stream = self._container.add_stream(self._codec, rate=self._sample_rate, layout=self._layout)
        assert isinstance(stream, av.AudioStream)
        if self._kbps is not None:
            stream.bit_rate = 1000 * self._kbps
        if isinstance(self._depth, int):
            stream.codec_context.format = STORED[self._depth]
        try:
            stream.codec_context.open()
        except av.error.FFmpegError as error:
            raise ValueError(str(error)) from error
        return stream

    def _begin(self, begin_s: Fraction) -> int:
        """Which sample comes first, if the sound begins at `begin_s`.

        Matroska's clock ticks in milliseconds. Opus has a delay of 6.5 of them, and what ends in a half would be
        rounded to the next.
        """
        if self._name not in ("MKV", "WebM"):
            return round(begin_s * self._sample_rate)
        return round(Fraction(round(begin_s * 1000), 1000) * self._sample_rate) - (self._codec == "libopus")

    def write(self, samples: np.ndarray) -> None:
        """Append `samples` [time, channels]: float32, or those that are stored.

        Raises:
            RuntimeError: the disk is full or went away.
        """
        if not len(samples):
            return
        kind = SAMPLES[samples.dtype.name]
        frame = av.AudioFrame.from_ndarray(samples[:, self._order].reshape(1, -1), kind, self._layout)
        frame.sample_rate, frame.pts = self._sample_rate, self._position
        self._position += len(samples)
        self._encode(frame)

    def _encode(self, frame: av.AudioFrame | None) -> None:
        try:
            if self._film and frame is not None:
                self._film.copy(self._container, self._position / self._sample_rate)
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except av.error.FFmpegError as error:
            raise RuntimeError(error.strerror) from error

    def close(self) -> None:
        """Write what is left.

        Raises:
            RuntimeError, OSError: the disk is full or went away.
        """
        with self._file:
            self._encode(None)
            try:
                if self._film:
                    self._film.copy(self._container)
                self._container.close()
            except av.error.FFmpegError as error:
                raise RuntimeError(error.strerror) from error
