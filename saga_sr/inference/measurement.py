"""What a recording is seen to be before anything is done to it, and what restoring would do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import Any

from torch import Tensor

from saga_sr.audio.edges import Edge, EdgeFinder
from saga_sr.audio.levels import LevelMeter, Levels
from saga_sr.audio.spectrogram_columns import SpectrogramColumns
from saga_sr.files.reading import AudioInfo, AudioReader
from saga_sr.inference.progress import Progress
from saga_sr.inference.sections import settled

# Of the models that restore recordings.
OUTPUT_RATE = 44_100
# What is read at once, of all channels together.
BLOCK = 1 << 20
# Channels beyond these are measured, but not in the picture.
SHOWN_CHANNELS = 16


@dataclass(frozen=True)
class Heard:
    """What was measured of a recording's samples.

    Attributes:
        edges: where the content of each channel ends, stretch by stretch; Nyquist where nothing is missing.
        levels: of each channel.
    """

    edges: list[list[Edge]]
    levels: list[Levels]

    def lost(self, channel: int, output_rate: int) -> list[Edge]:
        """The stretches of a channel whose content reaches beyond what `output_rate` holds, up to their `hz`."""
        silent = self.levels[channel].peak == 0
        return [] if silent else [edge for edge in self.edges[channel] if edge.hz > output_rate / 2]


def hear(info: AudioInfo, blocks: Iterable[Tensor]) -> Heard:
    """Measure a recording that comes in `blocks` [channel, time] at its own rate; NaN and infinity count as zeros."""
    finder, meter = EdgeFinder(info.sample_rate), LevelMeter(info.sample_rate, info.channels, info.encoding)
    for block in blocks:
        meter.add(block)
        finder.add(block.where(block.isfinite(), 0.0))
    return Heard(finder.finish(), meter.finish())


@dataclass(frozen=True)
class Measurement:
    """What was measured of a file.

    Attributes:
        heard: edges, at the file's own rate, and levels.
        restored: above which frequency each channel would be restored, stretch by stretch; Nyquist of the output where
            nothing would.
        spectrogram: level in dB [channel, column, bin] of the first channels, if it was asked for.
        notes: what should be known of the file, a sentence each: what is damaged, which of several streams was read.
    """

    info: AudioInfo
    heard: Heard
    restored: list[list[Edge]]
    spectrogram: Tensor | None = None
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """What the channels are called."""
        return channel_names(self.info.channels)

    def to_restore(self, channel: int) -> list[Edge]:
        """The stretches of a channel that would be restored, above their `hz`."""
        return [edge for edge in self.restored[channel] if edge.hz < OUTPUT_RATE / 2]

    def as_json(self) -> dict[str, Any]:
        """All but the spectrogram, as JSON has it; levels in dB are null where there is silence."""
        info = self.info
        return {
            "path": str(info.path),
            "container": info.container,
            "encoding": info.encoding,
            "sample_rate": info.sample_rate,
            "samples": info.frames,
            "duration_s": info.duration_s,
            "notes": [*self.notes],
            "channels": [
                {
                    "name": name,
                    **_levels_json(levels),
                    "content": [_stretch(edge, "ends_hz") for edge in self.heard.edges[i]],
                    "restored": [_stretch(edge, "above_hz") for edge in self.to_restore(i)],
                    "lost": [_stretch(edge, "up_to_hz") for edge in self.heard.lost(i, OUTPUT_RATE)],
                }
                for i, (name, levels) in enumerate(zip(self.names, self.heard.levels, strict=True))
            ],
        }


def measure_file(path: str | Path, picture: bool = False, progress: Progress | None = None) -> Measurement:
    """Read a file through and measure it; memory does not grow with its length.

    Args:
        picture: whether its spectrogram is made, too.
        progress: called with seconds done and seconds in all.

    Raises:
        AudioError: the file cannot be read.
    """
    with AudioReader(path, flawless=False) as reader:
        info = reader.info
        shown = min(info.channels, SHOWN_CHANNELS)
        columns = SpectrogramColumns(info.sample_rate, info.frames, shown) if picture else None

        def blocks() -> Iterator[Tensor]:
            size = max(1, BLOCK // info.channels)
            for start in range(0, info.frames, size):
                block = reader.read(start, min(size, info.frames - start))
                yield block
                if columns is not None:
                    columns.add(block[:shown].where(block[:shown].isfinite(), 0.0))
                if progress is not None:
                    progress((start + block.shape[1]) / info.sample_rate, info.duration_s)

        heard = hear(info, blocks())
        notes = reader.notes
    restored = settled(heard.edges, info.sample_rate, OUTPUT_RATE)
    for channel, level in enumerate(heard.levels):
        if level.peak == 0:  # silence stays silence
            restored[channel] = [Edge(0.0, info.duration_s, OUTPUT_RATE / 2)]
    return Measurement(info, heard, restored, None if columns is None else columns.finish(), notes)


def channel_names(channels: int) -> list[str]:
    """What `channels` are called."""
    return (
        [["mono"], ["left", "right"]][channels - 1] if channels <= 2 else [f"channel {i + 1}" for i in range(channels)]
    )


def decibels(level: float) -> float | None:
    """A level, of which 1 is full scale, in dB; None for silence."""
    return 20 * log10(level) if level > 0 else None


def _levels_json(levels: Levels) -> dict[str, Any]:
    rms, peak = decibels(levels.rms), decibels(levels.peak)
    return {
        "rms_dbfs": None if rms is None else round(rms, 3),
        "peak_dbfs": None if peak is None else round(peak, 3),
        "dc": round(levels.dc, 7),
        **{
            name: {"places": where.count, "samples": where.samples, "first_s": where.first_s}
            for name, where in levels.places().items()
        },
    }


def _stretch(edge: Edge, hz: str) -> dict[str, float]:
    return {"begin_s": round(edge.begin_s, 3), "end_s": round(edge.end_s, 3), hz: round(edge.hz, 1)}
