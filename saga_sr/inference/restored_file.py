"""A file that is restored block by block, for whoever writes it or plays it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from torch import Tensor

from saga_sr.files.reading import AudioInfo, AudioReader
from saga_sr.inference.chunks import CrossFade
from saga_sr.inference.finite import FiniteReader
from saga_sr.inference.progress import CancelToken, Progress, Watch
from saga_sr.inference.recordings import Recording
from saga_sr.inference.session import Look, Session


class RestoredFile(ExitStack):
    """A file as it is restored; open until its block ends.

    Args:
        progress: called with seconds done and seconds in all.
        cancel: looked at between chunks.

    Attributes:
        settings: that it is restored with.
        info: what the file holds.
        recording: the file at the model's rate.

    Raises:
        AudioError: the file cannot be read.
    """

    def __init__(
        self, session: Session, path: str | Path, progress: Progress | None = None, cancel: CancelToken | None = None
    ) -> None:
        super().__init__()
        self.settings = settings = session.settings
        self._session = session
        with ExitStack() as stack:
            self._file = stack.enter_context(
                AudioReader(path, flawless=False, stream=settings.stream, strict=settings.strict, copied=True)
            )
            self._reader = FiniteReader(self._file, settings.nan, str(path))
            self.push(stack.pop_all())
        self.recording = Recording(self._reader, session.model.sample_rate)
        self._watch = Watch(progress, cancel, self.duration_s)

    @property
    def info(self) -> AudioInfo:
        """What the file holds."""
        return self._reader.info

    @property
    def source(self) -> Path:
        """Where its bytes are, while it is open."""
        return self._file.file

    @property
    def duration_s(self) -> float:
        """Of the result, in seconds."""
        return self.recording.length / self.recording.sample_rate

    @property
    def notes(self) -> list[str]:
        """What should be known of the file, as far as it was read, a sentence each."""
        return [*self._file.notes, *self._reader.notes]

    @cached_property
    def look(self) -> Look:
        """What the file was seen to be; it is measured when this is first asked for.

        Raises:
            ConfigError: see `Session.look`.
        """
        return self._session.look(self.recording)

    def blocks(self) -> Iterator[Tensor]:
        """The result, [c, time] by [c, time], at the model's rate; it may exceed full scale.

        Raises:
            Cancelled: between two blocks, if the caller wishes so.
        """
        fade = CrossFade(self._session.plan)
        for (_, end), chunk in self._session.chunks([self.recording], self.look):
            yield fade.join(chunk[0], end == self.recording.length)
            self._watch.at(end / self.recording.sample_rate)
