"""The formats that audio is written in, and what each can hold. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from saga_sr.core.errors import AudioError

# Bits of a sample: 16, 24, or floats of 32.
Depth = int | str


@dataclass(frozen=True)
class OutputFormat:
    """A format.

    Attributes:
        suffixes: of its files, the usual one first.
        channels: how many it takes.
        kbps: bit rates in kb/s, the lowest, the highest and the usual one of a channel; none where it cannot be chosen.
        depths: the bits that samples can be stored with; none where the format does not store samples.
        rates: in Hz, those that it takes; none where it takes all.
    """

    name: str
    suffixes: tuple[str, ...]
    channels: range | tuple[int, ...]
    depths: tuple[Depth, ...] = ()
    rates: tuple[int, ...] = ()
    kbps: tuple[int, int, int] | None = None

    def rate(self, asked: int | str | None, source_hz: int, model_hz: int) -> int:
        """The rate to write, in Hz.

        Args:
            asked: a rate; `keep` for the source's, but not below the model's; None for the model's.

        Raises:
            AudioError: a rate was asked for that the format does not take.
        """
        wanted = model_hz if asked is None else asked if isinstance(asked, int) else max(source_hz, model_hz)
        if not self.rates or wanted in self.rates:
            return wanted
        if wanted == asked:
            raise AudioError(
                f"{self.name} does not take {asked} Hz; leave rate= out, or choose {_either(self.rates)}, or another "
                "format."
            )
        return min((rate for rate in self.rates if rate > wanted), default=max(self.rates))

    def depth(self, asked: Depth | None, bits: int | None, floats: bool) -> Depth | None:
        """The bits to write; None where the format does not store samples.

        Args:
            asked: 16, 24 or `float`; `keep` for the source's, but not below 16; None for 24, or floats if it has them.
            bits: of the source's samples; None where it stores none, or floats.
            floats: whether the source's samples are floats.

        Raises:
            AudioError: bits were asked for that the format does not hold.
        """
        if not self.depths:
            return None
        if asked not in (None, "keep"):
            if asked not in self.depths:
                raise AudioError(f"{self.name} holds no floats; choose bits=16 or 24, or format=wav or aiff.")
            return asked
        if floats and "float" in self.depths:
            return "float"
        return 16 if asked == "keep" and bits is not None and bits <= 16 else 24

    def bitrate(self, asked: int | None, channels: int) -> int | None:
        """The bit rate to write, in kb/s; None where it cannot be chosen.

        Raises:
            AudioError: a bit rate was asked for that the format does not take.
        """
        if self.kbps is None:
            return None
        lowest, highest, usual = self.kbps
        if asked is None:
            return min(usual * channels, highest)
        if not lowest <= asked <= highest:
            raise AudioError(f"{self.name} does not take bitrate={asked}; give {lowest} to {highest} kb/s.")
        return asked


_INTEGERS, _ALL_DEPTHS = (16, 24), (16, 24, "float")
_MPEG_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
FORMATS = {
    "wav": OutputFormat("WAV", (".wav",), range(1, 65), _ALL_DEPTHS),
    "flac": OutputFormat("FLAC", (".flac",), range(1, 9), _INTEGERS),
    "ogg": OutputFormat("OGG", (".ogg",), range(1, 9)),
    # ffmpeg 8 writes the channels of 5.0 and 6.1 in a wrong order.
    "opus": OutputFormat("Opus", (".opus",), (1, 2, 3, 4, 6, 8), (), (48_000,), (6, 510, 128)),
    "mp3": OutputFormat("MP3", (".mp3",), (1, 2), (), _MPEG_RATES, (8, 320, 160)),
    "m4a": OutputFormat("M4A", (".m4a",), range(1, 9), (), (*_MPEG_RATES, 88_200, 96_000), (16, 1024, 160)),
    "aiff": OutputFormat("AIFF", (".aiff", ".aif"), range(1, 65), _ALL_DEPTHS),
}
_BY_SUFFIX = {suffix: found for found in FORMATS.values() for suffix in found.suffixes}


def output_format(path: str | Path) -> OutputFormat:
    """The format that a file is written in, by its suffix.

    Raises:
        AudioError: there is none of that suffix.
    """
    found = _BY_SUFFIX.get(Path(path).suffix.lower())
    if found is None:
        raise AudioError(
            f"{path} cannot be written: choose one of the suffixes {', '.join(_BY_SUFFIX)}, or write {path}/ for a "
            "folder."
        )
    return found


def _either(values: tuple[int, ...]) -> str:
    *others, last = values
    return f"{', '.join(map(str, others))} or {last}" if others else str(last)
