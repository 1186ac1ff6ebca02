"""NaN and infinity in what is to be enhanced: refused, or zeros from the start, as `EnhanceSettings.nan` says."""

from __future__ import annotations

import logging

from torch import Tensor

from saga_sr.audio.not_finite import NotFinite
from saga_sr.core.errors import AudioError
from saga_sr.files.reading import AudioInfo
from saga_sr.inference.recordings import Reader

logger = logging.getLogger(__name__)

BLOCK = 1 << 20


class FiniteReader:
    """A reader whose samples are finite, looked through to its end before anything is made of it.

    Args:
        nan: `refuse`, or `zero` to put zeros in their place.
        name: of the recording, in messages.

    Attributes:
        found: what is NaN or infinite.

    Raises:
        AudioError: there is, and it is refused.
    """

    def __init__(self, reader: Reader, nan: str, name: str) -> None:
        self.reader, self.nan, self.name = reader, nan, name
        self.found = NotFinite(self.info.sample_rate)
        if self.info.floats:
            for start in range(0, self.info.frames, BLOCK):
                self.found.zeroed(reader.read(start, min(BLOCK, self.info.frames - start)), start)
            checked(self.found, nan, name)

    @property
    def info(self) -> AudioInfo:
        """Rate, channels and length."""
        return self.reader.info

    @property
    def notes(self) -> list[str]:
        """What is said of zeros in the place of samples."""
        return [f"{self.name} holds {self.found}; zeros are in their place."] if self.found.count else []

    def read(self, start: int, frames: int) -> Tensor:
        """Samples [channels, frames] from `start` on.

        Raises:
            AudioError: a decoder made some that are not finite, where that is refused.
        """
        found = NotFinite(self.info.sample_rate)
        audio = found.zeroed(self.reader.read(start, frames), start)
        checked(found, self.nan, self.name)
        return audio


class FiniteBlocks:
    """The blocks [c, time] of a stream, finite."""

    def __init__(self, sample_rate: int, nan: str) -> None:
        self.nan = nan
        self.found = NotFinite(sample_rate)
        self.length = self.told = 0

    def next(self, block: Tensor) -> Tensor:
        """The block that follows the one before.

        Raises:
            AudioError: it holds NaN or infinity, and that is refused.
        """
        before = self.found.count
        block = self.found.zeroed(block, self.length)
        self.length += block.shape[1]
        checked(self.found, self.nan, "The stream")
        if not before and self.found.count:
            self._warn()
            self.told = self.found.count
        return block

    def end(self) -> None:
        """Say what the whole stream held, if more came after it was first said."""
        if self.found.count > self.told:
            self._warn()

    def _warn(self) -> None:
        logger.warning("The stream holds %s; zeros are in their place.", str(self.found))


def checked(found: NotFinite, nan: str, name: str) -> None:
    """Refuse what was found.

    Raises:
        AudioError: there is something, and it is not to be zeros.
    """
    if found.count and nan == "refuse":
        raise AudioError(f"{name} holds {found}; repair it, or give nan=zero to go on with zeros there.")
