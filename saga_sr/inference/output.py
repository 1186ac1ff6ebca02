"""How the result of a file is written: what settings, the format and the file itself ask for."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from saga_sr.audio.channel_layout import read_mask
from saga_sr.audio.files import AudioInfo
from saga_sr.audio.output_formats import output_format
from saga_sr.audio.writing import AudioWriter
from saga_sr.inference.result_tags import maker
from saga_sr.inference.settings import EnhanceSettings

if TYPE_CHECKING:
    from saga_sr.audio.film import Film


class Output(ExitStack):
    """A file to be written as `settings` say, with the picture of the source if they keep it.

    Args:
        source: its file.
        info: what it holds.
        model_hz: the model's rate.
        model: its name, for the tags of films.

    Attributes:
        rate: in Hz.
        length: in samples.
        film: the source, where its picture is kept.

    Raises:
        AudioError: no such format, or one that does not take what was asked for; or no picture where one is kept.
    """

    def __init__(
        self,
        target: str | Path,
        settings: EnhanceSettings,
        source: Path,
        info: AudioInfo,
        model_hz: int,
        model: str = "",
    ) -> None:
        super().__init__()
        self._target, self._info = target, info
        self._how = how = output_format(target, settings.keep_video)
        self.rate = how.rate(settings.rate, info.sample_rate, model_hz)
        self._depth = how.depth(settings.bits, info.bits, info.floats)
        self._kbps = how.bitrate(settings.bitrate, info.channels)
        self._mask = read_mask(source, settings.stream, info.channels)
        self.length = -(-info.frames * self.rate // info.sample_rate)
        self.film: Film | None = None
        if settings.keep_video:
            # PyAV takes a while to import.
            from saga_sr.audio.film import Film

            told = maker(model) if settings.tags else None
            self.film = self.enter_context(Film(source, how.name, settings.stream, told))

    def writer(self) -> AudioWriter:
        """What writes it."""
        return AudioWriter(
            self._target,
            self.rate,
            self._info.channels,
            self._depth,
            mask=self._mask,
            kbps=self._kbps,
            film=self.film,
        )
