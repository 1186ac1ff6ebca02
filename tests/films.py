"""Small films, made by ffmpeg's encoders: noise to look at, and a click to hear."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE, FRAMES_S, CLICK_S, SECONDS = 48_000, 25, 1.0, 2
# Container, picture and sound, by the suffix.
KINDS = {
    "mp4": ("mp4", "libx264", "aac"),
    "mkv": ("matroska", "libx264", "flac"),
    "webm": ("webm", "libvpx", "libopus"),
    "mov": ("mov", "mpeg4", "aac"),
    "avi": ("avi", "mpeg4", "libmp3lame"),
}


def click(at_s: float = CLICK_S, seconds: float = SECONDS) -> np.ndarray:
    """A click of less than 4 kHz amid faint noise, [1, time], float32."""
    time = np.arange(round(seconds * RATE)) / RATE - at_s
    noise = 1e-4 * np.random.default_rng(0).standard_normal(len(time))
    return (0.8 * np.exp(-((time * 4000) ** 2)) + noise)[None].astype(np.float32)


def write_film(
    path: Path,
    kind: str | None = None,
    sound_s: float = 0.0,
    picture_s: float = 0.0,
    streams: int = 1,
    subtitles: bool = False,
    texts: dict[str, str] | None = None,
) -> Path:
    """A film whose sound and picture begin at the seconds given, with chapters.

    Args:
        streams: of audio, in one language each; the click comes 0.1 s later in each.
        subtitles: of one line, from 0.5 to 1.5 s (in Matroska).
    """
    muxer, picture, sound = KINDS[kind or path.suffix[1:]]
    with av.open(str(path), "w", format=muxer) as film:
        video: Any = film.add_stream(picture, rate=FRAMES_S)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        sounds: list[Any] = [film.add_stream(sound, rate=RATE, layout="mono") for _ in range(streams)]
        for stream, language in zip(sounds, ("deu", "fra"), strict=False):
            stream.metadata["language"] = language
        lines: Any = film.add_mux_stream("subrip") if subtitles else None
        film.metadata.update(texts or {})
        tick = Fraction(1, 1000)
        spans = [(0, 1000, "Part 0"), (1000, 2000, "Part 1")]
        film.set_chapters(
            [{"id": a + 1, "start": a, "end": b, "time_base": tick, "metadata": {"title": t}} for a, b, t in spans]
        )
        for i, stream in enumerate(sounds):
            frame = av.AudioFrame.from_ndarray(click(CLICK_S + 0.1 * i), "flt", "mono")
            frame.sample_rate, frame.pts = RATE, round(sound_s * RATE)
            film.mux([*stream.encode(frame), *stream.encode(None)])
        if lines is not None:
            packet = av.Packet(b"Hello")
            packet.stream, packet.time_base, packet.pts, packet.dts, packet.duration = lines, tick, 500, 500, 1000
            film.mux(packet)
        generator = np.random.default_rng(0)
        for i in range(SECONDS * FRAMES_S):
            image = av.VideoFrame.from_ndarray(generator.integers(0, 255, (96, 64), np.uint8), "yuv420p")
            image.pts = i + round(picture_s * FRAMES_S)
            film.mux(video.encode(image))
        film.mux(video.encode(None))
    return path


def packets(path: Path, kind: str = "video") -> list[bytes]:
    """What the packets of the first stream of `kind` hold."""
    with av.open(str(path)) as film:
        return [bytes(packet) for packet in film.demux(**{kind: 0}) if packet.size]


def times_s(path: Path) -> list[float]:
    """When each picture is shown."""
    with av.open(str(path)) as film:
        return sorted(float(packet.pts * packet.time_base) for packet in film.demux(video=0) if packet.size)


def click_s(path: Path, number: int = 0) -> float:
    """When the click of a stream of audio is heard, by its centre."""
    with av.open(str(path)) as film:
        frames = list(film.decode(audio=number))
        start_s = float(frames[0].pts * frames[0].time_base)
        convert = av.AudioResampler("fltp", "mono", frames[0].sample_rate)
        parts = [part.to_ndarray() for frame in frames for part in convert.resample(frame)]
        samples = np.concatenate(parts, axis=1)[0].astype(float) ** 2
    samples[samples < 0.1 * samples.max()] = 0
    return start_s + float((samples * np.arange(len(samples))).sum() / samples.sum()) / frames[0].sample_rate
