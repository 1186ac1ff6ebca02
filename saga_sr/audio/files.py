"""Audio files: WAV, FLAC, OGG, MP3 and AIFF, found, and read block by block with libsndfile."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from saga_sr.audio.not_finite import NotFinite
from saga_sr.core.errors import AudioError

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says.

    Attributes:
        frames: samples per channel.
        truncated: whether the header promises more.
        floats: whether samples are stored as floats, which may exceed full scale and be NaN.
        container, encoding: what the file is, and how it holds samples, in the words of the library that reads it.
    """

    path: Path
    sample_rate: int
    channels: int
    frames: int
    truncated: bool = False
    floats: bool = False
    container: str = ""
    encoding: str = ""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


class AudioReader:
    """An open audio file that gives any stretch of itself.

    Args:
        finite: whether a stretch that holds NaN or infinity is refused.

    Raises:
        AudioError: the file is missing, empty, not audio, or holds no samples.
    """

    def __init__(self, path: str | Path, finite: bool = True) -> None:
        self.path, self.finite = Path(path), finite
        _check_exists(self.path)
        try:
            self._file = soundfile.SoundFile(os.fsencode(self.path))
        except (soundfile.SoundFileError, TypeError, OSError) as error:
            raise AudioError(
                f"{self.path} cannot be read as audio ({reason_of(error)}); convert it to WAV or FLAC again."
            ) from error
        # libsndfile reads what is there of a WAV or AIFF file, and remarks on it in its log.
        truncated = "should be" in self._file.extra_info
        self.info = AudioInfo(
            self.path,
            self._file.samplerate,
            self._file.channels,
            self._file.frames,
            truncated,
            floats=self._file.subtype in ("FLOAT", "DOUBLE"),
            container=self._file.format,
            encoding=self._file.subtype,
        )
        if self.info.frames < 1:
            self._file.close()
            raise AudioError(f"{self.path} holds no audio samples; record or export it again.")

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, start: int, frames: int) -> Tensor:
        """Samples [channels, frames] from `start` on, float32; fewer where the file ends.

        Raises:
            AudioError: the data is damaged or truncated, or holds NaN or infinity where that is refused.
        """
        try:
            self._file.seek(start)
            samples = self._file.read(frames, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise AudioError(
                f"{self.path} is damaged near {start / self.info.sample_rate:.1f} s ({reason_of(error)}); "
                "copy or export it again."
            ) from error
        expected = min(frames, self.info.frames - start)
        if len(samples) < expected:
            raise AudioError(
                f"{self.path} ends {expected - len(samples)} samples before its header says; copy or export it again."
            )
        audio = torch.from_numpy(np.ascontiguousarray(samples.T))
        if self.finite and not audio.isfinite().all():
            found = NotFinite(self.info.sample_rate)
            found.zeroed(audio, start)
            raise AudioError(f"{self.path} holds {found}; export it again.")
        return audio


def inspect_audio(path: str | Path) -> AudioInfo:
    """What the header of the file at `path` says.

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


def find_audio(folder: str | Path) -> list[Path]:
    """The audio files below `folder`, sorted; hidden files and folders are passed over.

    Raises:
        AudioError: the folder is missing or holds none.
    """
    root = Path(folder)
    if not root.is_dir():
        raise AudioError(f"There is no folder {root}; give one that holds audio files.")
    found = sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )
    if not found:
        raise AudioError(f"{root} holds no audio files; give a folder with {', '.join(SUFFIXES)} files.")
    return found


def _check_exists(path: Path) -> None:
    if path.is_dir():
        raise AudioError(f"{path} is a folder, where an audio file is needed; name the file.")
    if not path.is_file():
        raise AudioError(f"There is no file {path}; check the name.")
    if path.stat().st_size == 0:
        raise AudioError(f"{path} is empty; record or export it again.")


def reason_of(error: Exception) -> str:
    """What libsndfile or the system says, without the file's name."""
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return text.strip().rstrip(".")
