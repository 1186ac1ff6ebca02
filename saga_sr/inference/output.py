"""How the result of a file is written: what settings, the format and the file itself ask for."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from saga_sr.audio.full_scale import FullScale
from saga_sr.files.channel_layout import read_mask
from saga_sr.files.output_formats import output_format
from saga_sr.files.reading import AudioInfo
from saga_sr.files.writing import AudioWriter
from saga_sr.inference.output_rate import at_rate
from saga_sr.inference.result_tags import maker, result_tags
from saga_sr.inference.settings import EnhanceSettings

if TYPE_CHECKING:
    from saga_sr.files.film import Film


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
        self._settings, self._source, self._model_hz, self._model = settings, source, model_hz, model
        self._how = how = output_format(target, settings.keep_video)
        self.rate = how.rate(settings.rate, info.sample_rate, model_hz)
        self._depth = how.depth(settings.bits, info.bits, info.floats)
        self._kbps = how.bitrate(settings.bitrate, info.channels)
        self._mask = read_mask(source, settings.stream, info.channels)
        self.length = -(-info.frames * self.rate // info.sample_rate)
        self.film: Film | None = None
        if settings.keep_video:
            # PyAV takes a while to import.
            from saga_sr.files.film import Film

            told = maker(model) if settings.tags else None
            self.film = self.enter_context(Film(source, how.name, settings.stream, told))

    def save(self, blocks: Iterable[Tensor]) -> list[str]:
        """Write the result, [c, time] by [c, time] at the model's rate, with tags; it appears only when it is whole.

        Returns:
            What should be known of it, a sentence each.

        Raises:
            AudioError: it cannot be written.
        """
        settings = self._settings
        told: list[str] = []
        with self._writer() as writer:
            way = settings.clip if writer.fixed_point else None
            full_scale = FullScale(way, self.rate, writer.folder)
            for block in full_scale.fit(at_rate(blocks, self._model_hz, self.rate, self.length)):
                writer.write(block)
            if settings.tags and not self.film:  # films are told by what they are copied from
                tags, told = result_tags(self._source, self._info, self.rate, self._model)
                writer.metadata = tags.at_another_level() if way and full_scale.peak > 1 else tags
        notes = [*full_scale.notes(str(self._target)), *told, *writer.notes]
        if not full_scale.peak:
            notes.append(f"{self._info.path} is silent, and so is {self._target}.")
        return notes

    def _writer(self) -> AudioWriter:
        return AudioWriter(
            self._target,
            self.rate,
            self._info.channels,
            self._depth,
            mask=self._mask,
            kbps=self._kbps,
            film=self.film,
        )
