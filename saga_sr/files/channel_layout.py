"""Which speakers the channels of a file are for, as a mask: a bit each, as in WAVEFORMATEXTENSIBLE and in ffmpeg.

Channels are in the order of their bits, everywhere but in Vorbis.
"""

from __future__ import annotations

from pathlib import Path

SPEAKERS = (
    *("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR", "TC", "TFL", "TFC", "TFR", "TBL"),
    *("TBC", "TBR"),
)
# What so many channels are where a format has one layout for each number, as Vorbis and Opus have.
DEFAULT_MASKS = {1: 0x4, 2: 0x3, 3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F}
# Which channel comes at each place of Vorbis (Vorbis I, 4.3.9).
VORBIS_ORDER = {
    **{3: (0, 2, 1), 5: (0, 2, 1, 3, 4), 6: (0, 2, 1, 4, 5, 3), 7: (0, 2, 1, 5, 6, 4, 3)},
    8: (0, 2, 1, 6, 7, 4, 5, 3),
}


def layout_name(mask: int) -> str:
    """ffmpeg's name of the layout `mask`."""
    return "+".join(name for bit, name in enumerate(SPEAKERS) if mask >> bit & 1)


def is_told_as_usual(mask: int, channels: int) -> bool:
    """Whether the speakers of `mask` are, in order, those that so many channels usually are for; 0 is not known.

    Of a pair behind the listener, some say that it is at the sides.
    """
    return mask in (0, DEFAULT_MASKS.get(channels)) or _with_backs(mask) == _with_backs(DEFAULT_MASKS[channels])


def _with_backs(mask: int) -> str:
    name = layout_name(mask)
    return name if "BL" in name else name.replace("SL", "BL").replace("SR", "BR")


def read_mask(path: Path, stream: int | None, channels: int) -> int:
    """Which speakers the `channels` of the file at `path` are for; 0 where it does not tell.

    Args:
        stream: of audio, counted from 1; the first where left out.
    """
    if channels in (1, 2):
        return DEFAULT_MASKS[channels]
    # Few files need PyAV here, which takes a while to import.
    from saga_sr.core.errors import AudioError
    from saga_sr.files.ffmpeg_stream import FfmpegStream

    try:
        opened = FfmpegStream(path, stream)
    except AudioError:  # libsndfile has read what ffmpeg cannot
        return 0
    names = opened.speakers
    opened.close()
    bits = [SPEAKERS.index(name) for name in names if name in SPEAKERS]
    in_order = len(bits) == channels == len(names) and bits == sorted({*bits})
    return sum(1 << bit for bit in bits) if in_order else 0
