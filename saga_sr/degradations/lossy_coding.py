"""MP3, AAC and Opus: encoded and decoded in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import av
import numpy as np
import torch
from torch import Tensor

from saga_sr.audio.resample import resample
from saga_sr.core.errors import ConfigError
from saga_sr.degradations.clip_degradation import ClipDegradation

# Samples of mirrored sound on both sides, so that no encoder begins or ends in the middle of a wave.
CONTEXT = 2304
# What encoders are given where they do not take the clip's own rate.
COMMON_HZ = 48_000


@dataclass(frozen=True)
class Setting:
    """A way to use an encoder on one channel.

    Attributes:
        kbps: kb/s.
        edge_hz: where the content of broadband sound ends then.
        delay: samples by which the decoded sound comes late, at the encoder's rate.
        options: of the encoder.
    """

    kbps: int
    edge_hz: float
    delay: int = 0
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Coder:
    """An encoder and a decoder of libavcodec, and the settings that are drawn of.

    Attributes:
        sample_format: of the encoder.
        settings: edges and delays are measured (`tests/degradations/test_lossy_coding.py`).
    """

    encoder: str
    decoder: str
    sample_format: str
    settings: tuple[Setting, ...]


def _mp3(kbps: int, edge_hz: float) -> Setting:
    # Twice as fast as by default.
    return Setting(kbps, edge_hz, 0, {"compression_level": "7"})


def _aac(kbps: int, edge_hz: float) -> Setting:
    # Three times as fast as by default.
    return Setting(kbps, edge_hz, 1024, {"aac_coder": "fast"})


def _opus(kbps: int, bandwidth_hz: int, edge_hz: float, delay: int, application: str) -> Setting:
    return Setting(kbps, edge_hz, delay, {"cutoff": str(bandwidth_hz), "application": application})


CODERS = {
    "mp3": Coder(
        "libmp3lame",
        "mp3float",
        "fltp",
        (_mp3(24, 6240), _mp3(32, 8370), _mp3(40, 10_540), _mp3(48, 11_260), _mp3(56, 15_220), _mp3(64, 16_680)),
    ),
    "aac": Coder(
        "aac",
        "aac",
        "fltp",
        (_aac(20, 4220), _aac(24, 6310), _aac(28, 8340), _aac(32, 9770), _aac(40, 13_380), _aac(48, 15_150),
         _aac(64, 16_630)),
    ),
    # Calls go through its speech coder, which has filters of its own: their delay differs by a sample or two between
    # bass and edge. Music goes through its transform coder, which is exact.
    "opus": Coder(
        "libopus",
        "libopus",
        "flt",
        (_opus(12, 4000, 4260, 3, "voip"), _opus(20, 8000, 8490, -2, "voip"), _opus(16, 4000, 4060, 0, "lowdelay"),
         _opus(24, 8000, 8100, 0, "lowdelay"), _opus(32, 12_000, 12_090, 0, "lowdelay"),
         _opus(48, 12_000, 12_090, 0, "lowdelay")),
    ),
}  # fmt: skip


class LossyCoding(ClipDegradation):
    """A round trip through an encoder at one of its settings, drawn uniformly. Channels are coded apart.

    Args:
        codec: `mp3`, `aac` or `opus`.
        **settings: see `ClipDegradation`.

    Raises:
        ConfigError: another codec.
    """

    def __init__(self, codec: str, sample_rate: int, bandwidth_fraction: float = 0.94) -> None:
        super().__init__(sample_rate, bandwidth_fraction)
        if codec not in CODERS:
            raise ConfigError(f"degradation codec={codec!r} is not known; choose one of {', '.join(CODERS)}.")
        self.coder = CODERS[codec]

    def degrade_clip(self, audio: Tensor, rng: np.random.Generator) -> tuple[Tensor, float]:
        setting = self.coder.settings[int(rng.integers(len(self.coder.settings)))]
        return coded(audio, self.coder, setting, self.sample_rate), setting.edge_hz


def coded(audio: Tensor, coder: Coder, setting: Setting, sample_rate: int) -> Tensor:
    """`audio` [c, time] encoded and decoded, aligned to what it was."""
    rates = av.codec.Codec(coder.encoder, "w").audio_rates or ()
    rate = sample_rate if sample_rate in rates else COMMON_HZ
    channels = resample(audio, sample_rate, rate).numpy()
    decoded = np.stack([_round_trip(channel, coder, setting, rate) for channel in channels])
    return resample(torch.from_numpy(decoded), rate, sample_rate)[:, : audio.shape[-1]]


def _round_trip(audio: np.ndarray, coder: Coder, setting: Setting, rate: int) -> np.ndarray:
    """`audio` [time] through the coder at its own rate."""
    context = np.pad(audio, CONTEXT, mode="reflect" if len(audio) > 1 else "edge")
    encoder = av.CodecContext.create(coder.encoder, "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = rate, "mono", coder.sample_format
    encoder.bit_rate, encoder.options = 1000 * setting.kbps, dict(setting.options)
    encoder.open()
    packets = []
    for first in range(0, len(context), encoder.frame_size):
        samples = np.ascontiguousarray(context[first : first + encoder.frame_size]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format=coder.sample_format, layout="mono")
        frame.sample_rate, frame.pts = rate, first
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    decoder = av.CodecContext.create(coder.decoder, "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate, decoder.layout, decoder.extradata = rate, "mono", encoder.extradata
    frames = [frame.to_ndarray().ravel() for packet in [*packets, None] for frame in decoder.decode(packet)]
    decoded = np.concatenate(frames)
    decoded = decoded.astype(np.float32) / 2**15 if decoded.dtype == np.int16 else decoded
    begin = CONTEXT + setting.delay
    decoded = decoded[begin : begin + len(audio)]
    return np.pad(decoded, (0, len(audio) - len(decoded)))
