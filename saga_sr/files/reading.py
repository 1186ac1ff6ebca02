"""Audio files of all kinds: any stretch of them read."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
import soundfile
import torch
from torch import Tensor

from saga_sr.audio.not_finite import NotFinite
from saga_sr.core.errors import AudioError
from saga_sr.core.storage import is_address, reaching, to_path
from saga_sr.files.damage import Damage
from saga_sr.files.pipes import as_file
from saga_sr.files.sndfile_reader import open_by_libsndfile

# What a header may tell; all else is taken for a lie or a mistake.
LOWEST_RATE, HIGHEST_RATE, MOST_CHANNELS = 1000, 768_000, 64


@dataclass(frozen=True)
class AudioInfo:
    """What a file holds.

    Attributes:
        frames: samples per channel.
        floats: whether samples are stored as floats, which may exceed full scale and be NaN.
        container, encoding: what the file is, and how it holds samples, in the words of the library that reads it.
    """

    path: Path
    sample_rate: int
    channels: int
    frames: int
    floats: bool = False
    container: str = ""
    encoding: str = ""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate

    @property
    def bits(self) -> int | None:
        """Of a sample; None where the file stores none, or floats."""
        found = re.match(r"pcm_[su]?(\d+)", self.encoding, re.IGNORECASE)
        return int(found[1]) if found else None


class Source(Protocol):
    """What decodes a file."""

    sample_rate: int
    channels: int
    frames: int
    floats: bool
    container: str
    encoding: str
    damage: Damage
    notes: tuple[str, ...]

    def read(self, start: int, frames: int) -> np.ndarray:
        """Samples [channels, frames] from `start` on, float32."""

    def close(self) -> None:
        """Close the file."""


class AudioReader:
    """An open audio file that gives any stretch of itself.

    What kind of file it is follows from its content. What cannot be decoded is silent, so that all else is where it
    belongs. What comes through a pipe is read once; in object storage, libsndfile's kinds are read stretch by stretch,
    and others are copied, or all are.

    Args:
        flawless: whether a stretch that is damaged, or holds NaN or infinity, is refused.
        stream: which of several streams of audio, counted from 1; the first where left out.
        strict: whether files that are damaged or break off are refused.
        copied: whether all of what is in object storage is read at once, to be gone through several times.

    Attributes:
        file: where its bytes are: at `path`, or in a copy of what came from elsewhere, as long as the reader is open.

    Raises:
        AudioError: the file is missing, empty, not audio, or holds no samples or no such stream; or it is damaged, and
            that is refused.
    """

    def __init__(
        self,
        path: str | Path,
        flawless: bool = True,
        *,
        stream: int | None = None,
        strict: bool = False,
        copied: bool = False,
    ) -> None:
        self.path, self.flawless = to_path(path), flawless
        self._stream, self._strict = stream, strict
        with ExitStack() as stack:
            self._stack, self.file = stack, self.path
            if not is_address(self.path):
                self._bring_here()
            _check_exists(self.file)
            if copied and is_address(self.file):
                self._bring_here()
            self._source = self._opened()
            stack.callback(lambda: self._source.close())
            self.info = self._checked_info()
            self._refuse_damage()
            self._stack = stack.pop_all()

    def _bring_here(self) -> None:
        self.file = self._stack.enter_context(as_file(self.path))

    def _opened(self) -> Source:
        source = open_by_libsndfile(self.file)
        if source is None:
            return self._opened_by_ffmpeg()
        if self._stream not in (None, 1):
            source.close()
            raise AudioError(f"{self.path} has no audio stream {self._stream}, only one; leave stream= out.")
        return source

    def _opened_by_ffmpeg(self) -> Source:
        # Most files need no PyAV, which takes a while to import.
        from saga_sr.files.ffmpeg_reader import FfmpegSource

        if is_address(self.file):
            self._bring_here()
        return FfmpegSource(self.file, self._stream)

    def _checked_info(self) -> AudioInfo:
        source = self._source
        if not LOWEST_RATE <= source.sample_rate <= HIGHEST_RATE or not 1 <= source.channels <= MOST_CHANNELS:
            raise AudioError(
                f"{self.path} has {source.channels} channel(s) at {source.sample_rate} Hz, where {MOST_CHANNELS} at "
                f"{LOWEST_RATE} to {HIGHEST_RATE} Hz are possible; convert it."
            )
        return AudioInfo(
            self.path,
            source.sample_rate,
            source.channels,
            source.frames,
            source.floats,
            source.container,
            source.encoding,
        )

    def _refuse_damage(self) -> None:
        if self._strict and self._source.damage:
            raise AudioError(f"{self.path} {self._source.damage}; copy or export it again, or leave strict= out.")

    @property
    def notes(self) -> tuple[str, ...]:
        """What should be known of the file, a sentence each: its streams, changes of rate, and damage met so far."""
        said = [*self._source.notes, *([str(self._source.damage)] if self._source.damage else [])]
        return tuple(f"{self.path} {text}." for text in said)

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def read(self, start: int, frames: int) -> Tensor:
        """Samples [channels, frames] from `start` on, float32; fewer where the file ends.

        Raises:
            AudioError: the data holds NaN or infinity, or is damaged, where that is refused.
        """
        frames = max(min(frames, self.info.frames - start), 0)
        try:
            samples = self._source.read(start, frames)
        except (soundfile.SoundFileError, RuntimeError):
            # FLAC that is damaged inside: ffmpeg goes on behind it.
            self._source.close()
            self._source = self._opened_by_ffmpeg()
            samples = self._source.read(start, frames)
        self._refuse_damage()
        audio = torch.from_numpy(np.ascontiguousarray(samples))
        if self.flawless:
            if self._source.damage.overlaps(start, start + frames):
                raise AudioError(f"{self.path} {self._source.damage}; copy or export it again.")
            found = NotFinite(self.info.sample_rate)
            found.zeroed(audio, start)
            if found.count:
                raise AudioError(f"{self.path} holds {found}; export it again.")
        return audio


def inspect_audio(path: str | Path) -> AudioInfo:
    """What the file at `path` holds.

    Raises:
        AudioError: see `AudioReader`.
    """
    with AudioReader(path) as reader:
        return reader.info


def read_audio(path: str | Path, start: int = 0, frames: int | None = None) -> tuple[Tensor, int]:
    """A stretch of a file (all of it by default) as [channels, time], and its rate in Hz.

    Raises:
        AudioError: see `AudioReader`.
    """
    with AudioReader(path) as reader:
        return reader.read(start, reader.info.frames - start if frames is None else frames), reader.info.sample_rate


def _check_exists(path: Path) -> None:
    try:
        with reaching(path):
            is_folder, is_file = path.is_dir(), path.is_file()
            size = path.stat().st_size if is_file else 0
    except OSError as error:
        raise AudioError(f"{path} cannot be read ({error.strerror or error}); check its permissions.") from error
    if is_folder:
        raise AudioError(f"{path} is a folder, where an audio file is needed; name the file.")
    if not is_file:
        raise AudioError(f"There is no file {path}; check the name.")
    if size == 0:
        raise AudioError(f"{path} is empty; record or export it again.")


def reason_of(error: Exception) -> str:
    """What libsndfile or the system says, without the file's name."""
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return text.strip().rstrip(".")
