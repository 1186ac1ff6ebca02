"""Files that ffmpeg's libraries write (PyAV): M4A, Opus and MP3."""

from __future__ import annotations

from pathlib import Path

import av
import av.error
import numpy as np

from saga_sr.audio.channel_layout import DEFAULT_MASKS, layout_name

# Container and encoder by the format's name.
ENCODERS = {"M4A": ("ipod", "aac"), "Opus": ("opus", "libopus"), "MP3": ("mp3", "libmp3lame")}


class FfmpegEncoder:
    """A file being written to `path`.

    Args:
        name: of the format.
        kbps: of the whole file, in kb/s.

    Raises:
        ValueError: a rate or channel count that the encoder does not take.
    """

    def __init__(self, path: Path, name: str, sample_rate: int, channels: int, kbps: int) -> None:
        container, codec = ENCODERS[name]
        # Equal audio is equal files. The encoder's delay and the padding at the end stand in each, and decoders take
        # them off; M4A tells lengths in units of its own, which shall be samples.
        own = {"M4A": {"movie_timescale": str(sample_rate)}, "MP3": {"id3v2_version": "0"}}
        options = {"fflags": "+bitexact", **own.get(name, {})}
        self._layout = layout_name(DEFAULT_MASKS[channels])
        self._position = 0
        self._file = path.open("w+b")
        self._container = av.open(self._file, "w", format=container, options=options)
        try:
            stream = self._container.add_stream(codec, rate=sample_rate, layout=self._layout)
            assert isinstance(stream, av.AudioStream)
            self._stream = stream
            stream.bit_rate = 1000 * kbps
            stream.codec_context.open()
        except av.error.FFmpegError as error:
            self._file.close()
            raise ValueError(str(error)) from error

    def write(self, samples: np.ndarray) -> None:
        """Append `samples` [time, channels], float32.

        Raises:
            RuntimeError: the disk is full or went away.
        """
        if not len(samples):
            return
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout=self._layout)
        frame.sample_rate, frame.pts = self._stream.codec_context.sample_rate, self._position
        self._position += len(samples)
        self._encode(frame)

    def _encode(self, frame: av.AudioFrame | None) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except av.error.FFmpegError as error:
            raise RuntimeError(str(error)) from error

    def close(self) -> None:
        """Write what is left.

        Raises:
            RuntimeError, OSError: the disk is full or went away.
        """
        with self._file:
            self._encode(None)
            try:
                self._container.close()
            except av.error.FFmpegError as error:
                raise RuntimeError(str(error)) from error
