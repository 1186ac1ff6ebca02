"""Media files as ffmpeg's libraries open them (PyAV): by content, and without a way to anything else."""

from __future__ import annotations

import ctypes
import logging
import os
from contextlib import suppress
from pathlib import Path

import av
import av.logging
from av.container import InputContainer

from saga_sr.core.errors import AudioError

# What is looked for in a file: media with sound, and nothing that leads to other files or to a network.
FORMATS = (
    "aac,ac3,act,adx,aiff,amr,ape,asf,ast,au,avi,bonk,caf,dsf,dts,dtshd,eac3,flac,flv,gsm,iff,ircam,loas,matroska,mlp,mov,"
    "mp3,mpc,mpc8,mpeg,mpegts,mxf,nistsphere,nut,oga,ogg,oma,paf,pvf,qcp,qoa,rm,rso,sds,shn,sox,sln,spx,svx,tak,"
    "truehd,tta,voc,vqf,w64,wav,wavarc,webm,wsaud,wv,xwma"
)
OPTIONS = {"protocol_whitelist": "fd", "format_whitelist": FORMATS}
# The most bytes that ffmpeg's libraries take at once, whatever a header says: the index of a day takes less.
LARGEST_ALLOCATION = 1 << 28

# By default PyAV hears nothing of what ffmpeg says, and its errors have no reasons. What `av.logging.Capture` does not
# catch is passed over as before.
if av.logging.get_level() is None:
    av.logging.set_level(av.logging.WARNING)
    logging.getLogger("libav").propagate = False
    logging.getLogger("libav").addHandler(logging.NullHandler())
# PyAV has no name for this; it is found where the system looks a symbol up in what a library depends on (not Windows).
with suppress(AttributeError, OSError):
    ctypes.CDLL(av.logging.__file__).av_max_alloc(ctypes.c_size_t(LARGEST_ALLOCATION))

# Container and encoder by the format's name.
ENCODERS = {
    **{"M4A": ("ipod", "aac"), "Opus": ("opus", "libopus"), "MP3": ("mp3", "libmp3lame")},
    **{"MP4": ("mp4", "aac"), "MOV": ("mov", "aac"), "WebM": ("webm", "libopus"), "MKV": ("matroska", "flac")},
}


def open_container(path: Path) -> tuple[InputContainer, int]:
    """The file at `path`, and its descriptor, which is closed after it.

    It is opened by its descriptor, so that neither its name nor its suffix play a part.

    Raises:
        AudioError: no format that is known.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with av.logging.Capture() as said:
            container = av.open(
                "fd:", "r", options=OPTIONS | {"fd": str(descriptor)}, metadata_errors="replace", timeout=(60, None)
            )
    except (av.error.FFmpegError, ValueError) as error:
        os.close(descriptor)
        raise AudioError(
            f"{path} cannot be read as audio ({_reason(error, said)}); convert it to WAV or FLAC again."
        ) from error
    return container, descriptor


def _reason(error: Exception, said: list[tuple[int, str, str]]) -> str:
    """The last complaint, or what the error says."""
    complaints = [message.strip() for level, _, message in said if level <= av.logging.ERROR]
    text = complaints[-1] if complaints else getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()).rstrip(".")
