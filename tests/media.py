"""Media files of all kinds, made by ffmpeg's encoders, and what ffmpeg's decoders make of them."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import av
import numpy as np

# A muxer and an encoder for each kind of file, by its usual suffix or what is special about it.
KINDS = {
    "aac": ("adts", "aac"),
    "ac3": ("ac3", "ac3"),
    "alac.m4a": ("ipod", "alac"),
    "aiff": ("aiff", "pcm_s24be"),
    "alaw.wav": ("wav", "pcm_alaw"),
    "au": ("au", "pcm_s16be"),
    "caf": ("caf", "pcm_s24le"),
    "double.wav": ("wav", "pcm_f64le"),
    "eac3": ("eac3", "eac3"),
    "flac": ("flac", "flac"),
    "flac.mka": ("matroska", "flac"),
    "flv": ("flv", "aac"),
    "ima.wav": ("wav", "adpcm_ima_wav"),
    "m4a": ("ipod", "aac"),
    "mkv": ("matroska", "aac"),
    "mp2": ("mp2", "mp2"),
    "mp3": ("mp3", "libmp3lame"),
    "mp3.avi": ("avi", "libmp3lame"),
    "mp4": ("mp4", "aac"),
    "ms.wav": ("wav", "adpcm_ms"),
    "mulaw.wav": ("wav", "pcm_mulaw"),
    "opus": ("ogg", "libopus"),
    "opus.mka": ("matroska", "libopus"),
    "mpegts": ("mpegts", "mp2"),
    "tta": ("tta", "tta"),
    "u8.wav": ("wav", "pcm_u8"),
    "w64": ("w64", "pcm_s16le"),
    "wav": ("wav", "pcm_s24le"),
    "webm": ("webm", "libopus"),
    "wma": ("asf", "wmav2"),
    "wv": ("wv", "wavpack"),
}


def music(channels: int, length: int, sample_rate: int, seed: int = 0) -> np.ndarray:
    """Tones and noise [channel, time], float32."""
    generator = np.random.default_rng(seed)
    time = np.arange(length) / sample_rate
    tones = [np.sin(2 * np.pi * 220 * (i + 1) * time + np.sin(5 * time)) for i in range(channels)]
    return (0.3 * np.stack(tones) + 0.05 * generator.standard_normal((channels, length))).astype(np.float32)


class _Pipe(io.BytesIO):
    """What can only be written on."""

    def seekable(self) -> bool:
        return False


def encoded(
    audio: np.ndarray,
    sample_rate: int,
    kind: str,
    bit_rate: int | None = None,
    picture: bool = False,
    streams: int = 1,
    pipe: bool = False,
    encoder: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    **options: str,
) -> bytes:
    """`audio` [channel, time] as a file of `kind`.

    Args:
        picture: with a stream of video before the audio.
        streams: of audio; each is half as loud as the one before.
        pipe: written where nothing can be gone back to, as to another program.
        encoder: options of the encoder.
        options: of the muxer.
    """
    muxer, codec = KINDS[kind]
    file = _Pipe() if pipe else io.BytesIO()
    with av.open(file, "w", format=muxer, container_options=options) as container:
        container.metadata.update(tags or {})
        video = container.add_stream("mpeg4", rate=10) if picture else None
        if video is not None:
            video.width = video.height = 64
            video.pix_fmt = "yuv420p"
        layout = {1: "mono", 2: "stereo", 6: "5.1"}[audio.shape[0]]
        sounds = [
            container.add_stream(codec, rate=sample_rate, layout=layout, options=encoder or {}) for _ in range(streams)
        ]
        for sound in sounds:
            if bit_rate is not None:
                sound.bit_rate = bit_rate
        if video is not None:
            for i in range(audio.shape[1] * 10 // sample_rate):
                frame = av.VideoFrame.from_ndarray(np.full((96, 64), i % 255, np.uint8), "yuv420p")
                frame.pts = i
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        for i, sound in enumerate(sounds):
            _encode(container, sound, audio * 0.5**i, sample_rate, layout)
    return file.getvalue()


def _encode(
    container: av.container.OutputContainer, sound: av.AudioStream, audio: np.ndarray, sample_rate: int, layout: str
) -> None:
    wanted = sound.codec_context.format.name
    convert = av.AudioResampler(wanted, layout, sample_rate)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio), "fltp", layout)
    frame.sample_rate, frame.pts = sample_rate, 0
    fifo = av.AudioFifo()
    for part in convert.resample(frame) + convert.resample(None):
        fifo.write(part)
    size = sound.codec_context.frame_size or 4096
    while (part := fifo.read(size) or fifo.read(0)) is not None:
        container.mux(sound.encode(part))
    container.mux(sound.encode(None))


def decoded(path: Path) -> np.ndarray:
    """What ffmpeg's libraries make of a file [channel, time], frame after frame."""
    with av.open(str(path)) as container:
        sound = container.streams.audio[0]
        convert = av.AudioResampler("fltp", sound.codec_context.layout, sound.codec_context.sample_rate)
        frames = [part for frame in container.decode(sound) for part in convert.resample(frame)]
        return np.concatenate([frame.to_ndarray() for frame in frames + convert.resample(None)], axis=1)


def decoded_by_program(path: Path, channels: int) -> np.ndarray:
    """What the program ffmpeg makes of a file [channel, time]."""
    command = ["ffmpeg", "-v", "quiet", "-i", str(path), "-map", "0:a:0", "-f", "f32le", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.float32).reshape(-1, channels).T
