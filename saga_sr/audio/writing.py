"""Audio files written block by block with libsndfile: WAV, FLAC, OGG and MP3."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import soundfile
from torch import Tensor

from saga_sr.audio.files import reason_of
from saga_sr.core.atomic_file import Aside
from saga_sr.core.errors import AudioError, DiskError

# libsndfile's names for what each suffix is written as; WAV as FLOAT where floats are asked for.
FORMATS = {
    ".wav": ("WAV", "PCM_24"),
    ".flac": ("FLAC", "PCM_24"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
# What no other file on the same disk will be written for.
NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.EIO)
# libsndfile's Vorbis encoder overflows its stack on long blocks.
BLOCK = 65_536


class AudioWriter:
    """A file being written: aside first, and renamed to `path` once it is whole.

    WAV and FLAC take 24 bits. If the block that writes it raises, whatever was at `path` before stays as it was.

    Args:
        floats: whether a WAV file holds floats of 32 bits, which may exceed full scale.

    Attributes:
        fixed_point: whether samples beyond [-1, 1] are clipped: also those of OGG and MP3, whose players do it.

    Raises:
        AudioError: a suffix that cannot be written, a rate or channel count that the format does not take, or a folder
            that is read-only or full.
    """

    def __init__(self, path: str | Path, sample_rate: int, channels: int, floats: bool = False) -> None:
        self.path = Path(path)
        how = FORMATS.get(self.path.suffix.lower())
        if how is None:
            raise AudioError(f"{self.path} cannot be written: choose one of the suffixes {', '.join(FORMATS)}.")
        self._subtype = "FLOAT" if floats and how[0] == "WAV" else how[1]
        self.fixed_point = self._subtype != "FLOAT"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                self.path.lstat()  # or a name that is too long were found out at the end
            self._aside = Aside(self.path)
        except OSError as error:
            raise self._failure(error) from error
        try:
            self._file = soundfile.SoundFile(
                os.fsencode(self._aside.file), "w", sample_rate, channels, subtype=self._subtype, format=how[0]
            )
        except (soundfile.SoundFileError, ValueError) as error:
            self._aside.remove()
            raise AudioError(
                f"{self.path} cannot be written: {how[0]} does not take {channels} channel(s) at {sample_rate} Hz; "
                "use .wav or .flac."
            ) from error

    def write(self, audio: Tensor) -> None:
        """Append `audio` [channels, time].

        Raises:
            AudioError: samples that are NaN or infinite, or a disk that is full or went away.
        """
        if not audio.isfinite().all():
            raise AudioError(
                f"{self.path} is not written: it would hold NaN or infinite samples; check the model's weights."
            )
        samples = self._stored(audio.detach().cpu().float()).T.numpy()
        try:
            for begin in range(0, len(samples), BLOCK):
                self._file.write(samples[begin : begin + BLOCK])
        except (soundfile.SoundFileError, RuntimeError, OSError) as error:
            raise self._failure(error) from error

    def _stored(self, audio: Tensor) -> Tensor:
        """As libsndfile is given it."""
        if not self.fixed_point:
            return audio
        if self._subtype != "PCM_24":
            return audio.clamp(-1, 1)
        # libsndfile multiplies floats by 2^23 - 1, but divides by 2^23 what it reads: a copy would not be the same.
        return (audio * 2**23).round().clamp(-(2**23), 2**23 - 1).int() * 2**8

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
            if kind is None:
                if self._subtype == "FLOAT":
                    _without_time(self._aside.file)
                self._aside.put_in_place()
        except (soundfile.SoundFileError, OSError) as failure:
            raise self._failure(failure) from failure
        finally:
            self._aside.remove()

    def _failure(self, error: Exception) -> AudioError:
        found = error if isinstance(error, OSError) else _what_the_disk_says(self._aside.handle) or error
        kind = DiskError if isinstance(found, OSError) and found.errno in NO_PLACE else AudioError
        return kind(f"{self.path} cannot be written ({reason_of(found)}); free some space or choose another folder.")


def write_audio(path: str | Path, audio: Tensor, sample_rate: int) -> None:
    """Write `audio` [channels, time] to `path`.

    Raises:
        AudioError: see `AudioWriter`.
    """
    with AudioWriter(path, sample_rate, audio.shape[0]) as writer:
        writer.write(audio)


def _without_time(path: Path) -> None:
    """Take out when a float WAV was written, which libsndfile notes beside its peaks: equal audio is equal files."""
    with path.open("r+b") as file:
        header = file.read(128)
        chunk = header.find(b"PEAK")
        if chunk >= 0:
            file.seek(chunk + 12)  # after its name, length and version
            file.write(bytes(4))


def _what_the_disk_says(handle: int) -> OSError | None:
    """Why nothing more can be written to an open file, which libsndfile does not tell."""
    try:
        os.lseek(handle, 0, os.SEEK_END)
        for _ in range(2):  # the first may fill the last block
            os.write(handle, bytes(BLOCK))
    except OSError as error:
        return error
    return None
