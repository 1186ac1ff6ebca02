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
        pictures: whether it is for films, whose picture is kept.
        speakers: whether so many channels are always for the same speakers.
    """

    name: str
    suffixes: tuple[str, ...]
    channels: range | tuple[int, ...]
    depths: tuple[Depth, ...] = ()
    rates: tuple[int, ...] = ()
    kbps: tuple[int, int, int] | None = None
    pictures: bool = False
    speakers: bool = False

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
            if asked not in (None, "keep"):
                instead = "give bitrate= instead" if self.kbps else "leave it out"
                raise AudioError(f"{self.name} stores no samples that could have bits={asked}; {instead}.")
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
            if asked is not None:
                instead = "give bits= instead" if self.depths else "leave it out"
                raise AudioError(f"{self.name} takes no bitrate={asked}; {instead}, or choose another format.")
            return None
        lowest, highest, usual = self.kbps
        if asked is None:
            return min(usual * channels, highest)
        if not lowest <= asked <= highest:
            raise AudioError(f"{self.name} does not take bitrate={asked}; give {lowest} to {highest} kb/s.")
        return asked

    def check(self, rate: int | str | None, bits: Depth | None, bitrate: int | None) -> None:
        """See whether what is asked for is possible, whatever the source is.

        Raises:
            AudioError: it is not.
        """
        self.rate(rate, 0, 0)
        self.depth(bits, None, False)
        self.bitrate(bitrate, 1)


_INTEGERS, _ALL_DEPTHS = (16, 24), (16, 24, "float")
_MPEG_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_AAC_RATES, _AAC_KBPS = (*_MPEG_RATES, 88_200, 96_000), (16, 1024, 160)
_OPUS_RATES, _OPUS_KBPS = (48_000,), (6, 510, 128)
FORMATS = {
    "wav": OutputFormat("WAV", (".wav",), range(1, 65), _ALL_DEPTHS),
    "flac": OutputFormat("FLAC", (".flac",), range(1, 9), _INTEGERS),
    "ogg": OutputFormat("OGG", (".ogg",), range(1, 9), speakers=True),
    "opus": OutputFormat("Opus", (".opus",), range(1, 9), (), _OPUS_RATES, _OPUS_KBPS, speakers=True),
    "mp3": OutputFormat("MP3", (".mp3",), (1, 2), (), _MPEG_RATES, (8, 320, 160)),
    "m4a": OutputFormat("M4A", (".m4a",), range(1, 9), (), _AAC_RATES, _AAC_KBPS, speakers=True),
    "aiff": OutputFormat("AIFF", (".aiff", ".aif"), range(1, 65), _ALL_DEPTHS),
}
# Of films, with the sound that players of each expect: AAC in MP4 and MOV, Opus in WebM, FLAC in MKV.
FILM_FORMATS = {
    "mp4": OutputFormat("MP4", (".mp4", ".m4v"), range(1, 9), (), _AAC_RATES, _AAC_KBPS, True, True),
    "mkv": OutputFormat("MKV", (".mkv",), range(1, 9), _INTEGERS, pictures=True, speakers=True),
    "webm": OutputFormat("WebM", (".webm",), range(1, 9), (), _OPUS_RATES, _OPUS_KBPS, True, True),
    "mov": OutputFormat("MOV", (".mov",), range(1, 9), (), _AAC_RATES, _AAC_KBPS, True, True),
}
_BY_SUFFIX = {suffix: found for found in (*FORMATS.values(), *FILM_FORMATS.values()) for suffix in found.suffixes}


def formats(pictures: bool) -> dict[str, OutputFormat]:
    """The formats by what `format=` calls them: those of films if `pictures` are kept."""
    return FILM_FORMATS if pictures else FORMATS


def output_format(path: str | Path, pictures: bool | None = None) -> OutputFormat:
    """The format that a file is written in, by its suffix.

    Args:
        pictures: whether it is to keep a picture; None where that is not known.

    Raises:
        AudioError: there is none of that suffix, or it is not for that.
    """
    found = _BY_SUFFIX.get(Path(str(path)).suffix.lower())
    if found is None or pictures not in (None, found.pictures):
        listed = [suffix for suffix, how in _BY_SUFFIX.items() if how.pictures == bool(pictures)]
        raise AudioError(
            f"{path} cannot be written{_why_not(found)}: choose one of the suffixes {', '.join(listed)}, or write "
            f"{path}/ for a folder."
        )
    return found


def _why_not(found: OutputFormat | None) -> str:
    if found is None:
        return ""
    return " without keep_video=true" if found.pictures else " with keep_video=true, since it holds no picture"


def suffix_of_film(name: Path) -> str:
    """The suffix of a film's copy: the film's own where it can be written, or else mkv."""
    found = _BY_SUFFIX.get(name.suffix.lower())
    return name.suffix[1:].lower() if found is not None and found.pictures else "mkv"


def _either(values: tuple[int, ...]) -> str:
    *others, last = values
    return f"{', '.join(map(str, others))} or {last}" if others else str(last)
