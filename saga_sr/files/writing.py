"""Audio files of all formats that there are, written block by block."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import numpy as np
import soundfile
from torch import Tensor

from saga_sr.core.errors import AudioError, DiskError
from saga_sr.core.storage import as_named, aside, mend
from saga_sr.files.channel_layout import DEFAULT_MASKS, is_told_as_usual, layout_name
from saga_sr.files.metadata import Metadata
from saga_sr.files.output_formats import Depth, OutputFormat, output_format
from saga_sr.files.quantisation import Quantiser
from saga_sr.files.reading import reason_of
from saga_sr.files.sndfile_encoder import SndfileEncoder
from saga_sr.files.wav_file import WavFile

if TYPE_CHECKING:
    from saga_sr.files.film import Film

# What no other file on the same disk will be written for.
NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.EIO)


class Encoder(Protocol):
    """What makes a file of samples."""

    def write(self, samples: np.ndarray) -> None:
        """Append samples [time, channels]."""

    def close(self) -> None:
        """Write what is left, and close the file."""


class AudioWriter:
    """A file being written: aside first, and renamed to `path`, or sent there, once it is whole.

    If the block that writes it raises, whatever was at `path` before stays as it was.

    Args:
        path: here or in object storage.
        depth: of formats that store samples: 16, 24 (both clip at full scale) or `float`.
        mask: which speakers the channels are for, see `channel_layout`, where the format can tell (WAV); what so many
            channels usually are where left out.
        kbps: the bit rate in kb/s of formats that have one (Opus, MP3, M4A); a high one where left out.
        film: whose picture is copied, and whose sound is replaced; for formats of films.

    Attributes:
        metadata: what the file is to tell of its sound; set before the block ends.
        notes: what should be known of the file once it is written, a sentence each.
        fixed_point: whether samples beyond [-1, 1] are clipped: also those of lossy formats, whose players do it.

    Raises:
        AudioError: a suffix that cannot be written, a rate or channel count that the format does not take, or a folder
            that is read-only or full.
    """

    def __init__(
        self,
        path: str | Path,
        sample_rate: int,
        channels: int,
        depth: Depth | None = 24,
        *,
        mask: int | None = None,
        kbps: int | None = None,
        film: Film | None = None,
    ) -> None:
        self.path = as_named(path)
        how = output_format(path, pictures=film is not None)
        self._depth = depth if how.depths else None
        self.fixed_point = self._depth != "float"
        self._mask, self._kbps, self._film, self._name = mask, kbps, film, how.name
        self._sample_rate, self._channels = sample_rate, channels
        self.metadata: Metadata | None = None
        self.notes: list[str] = film.notes if film else []
        if how.speakers and mask and channels in how.channels and not is_told_as_usual(mask, channels):
            usual = layout_name(DEFAULT_MASKS[channels])
            self.notes.append(
                f"{self.path} says {usual} of the channels {layout_name(mask)}, since {how.name} knows no other "
                f"{channels}; .wav and .flac keep them."
            )
        self._quantiser = Quantiser(self._depth)
        try:
            self._aside = aside(self.path)
        except OSError as error:
            raise self._failure(error) from error
        try:
            self._encoder = self._opened(how, sample_rate, channels)
        except AudioError:
            self._aside.remove()
            raise
        except (soundfile.SoundFileError, ValueError) as error:
            self._aside.remove()
            raise AudioError(
                f"{self.path} cannot be written: {how.name} does not take {channels} channel(s) at {sample_rate} Hz; "
                f"use {'.mkv' if how.pictures else '.wav or .flac'}."
            ) from error

    def _opened(self, how: OutputFormat, sample_rate: int, channels: int) -> Encoder:
        if channels not in how.channels:
            raise ValueError(channels)
        if how.name == "WAV":
            assert self._depth is not None
            mask = DEFAULT_MASKS.get(channels, 0) if self._mask is None else self._mask
            return WavFile(self._aside.file, sample_rate, channels, self._depth, mask)
        if how.kbps or how.pictures:
            # PyAV takes a while to import.
            from saga_sr.files.ffmpeg_encoder import FfmpegEncoder

            kbps = how.bitrate(self._kbps, channels)
            return FfmpegEncoder(
                self._aside.file, how.name, sample_rate, channels, kbps, depth=self._depth, film=self._film
            )
        return SndfileEncoder(self._aside.file, how.name, sample_rate, channels, self._depth)

    @property
    def folder(self) -> Path:
        """Of this machine, where it is written."""
        return self._aside.file.parent

    def write(self, audio: Tensor) -> None:
        """Append `audio` [channels, time].

        Raises:
            AudioError: samples that are NaN or infinite, or a disk that is full or went away.
        """
        if not audio.isfinite().all():
            raise AudioError(
                f"{self.path} is not written: it would hold NaN or infinite samples; check the model's weights."
            )
        try:
            self._encoder.write(self._quantiser.stored(audio))
        except (soundfile.SoundFileError, RuntimeError, OSError) as error:
            raise self._failure(error) from error

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is not None and self._film:
                self._film.stop()
            self._encoder.close()
            if kind is None:
                self._tag()
                self._aside.put_in_place()
        except (soundfile.SoundFileError, RuntimeError, OSError) as failure:
            raise self._failure(failure) from failure
        finally:
            self._aside.remove()

    def _tag(self) -> None:
        metadata = self.metadata
        if self._name == "FLAC" and self._mask and self._channels > 2:
            # Its own layouts know no others.
            metadata = (metadata or Metadata(self._sample_rate)).with_mask(self._mask)
        if metadata is None:
            return
        # mutagen takes a while to import.
        from saga_sr.files.tagging import write_metadata

        try:
            write_metadata(self._aside.file, self._name, metadata)
        except OSError:
            raise
        except Exception as error:
            self.notes.append(f"{self.path} goes without tags, which {self._name} cannot hold ({reason_of(error)}).")

    def _failure(self, error: Exception) -> AudioError:
        found = error if isinstance(error, OSError) else _what_the_disk_says(self._aside.handle) or error
        kind = DiskError if isinstance(found, OSError) and found.errno in NO_PLACE else AudioError
        return kind(f"{self.path} cannot be written ({reason_of(found)}); {mend(self.path)}.")


def write_audio(path: str | Path, audio: Tensor, sample_rate: int) -> None:
    """Write `audio` [channels, time] to `path`, in 24 bits where the format stores samples.

    Raises:
        AudioError: see `AudioWriter`.
    """
    with AudioWriter(path, sample_rate, audio.shape[0]) as writer:
        writer.write(audio)


def _what_the_disk_says(handle: int) -> OSError | None:
    """Why nothing more can be written to an open file, which libsndfile does not tell."""
    try:
        os.lseek(handle, 0, os.SEEK_END)
        for _ in range(2):  # the first may fill the last block
            os.write(handle, bytes(65_536))
    except OSError as error:
        return error
    return None
