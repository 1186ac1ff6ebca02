"""The samples of what ffmpeg's decoders give."""

from __future__ import annotations

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

# PyAV counts the planes of a frame wrongly, and crashes, if there are more.
MOST_PLANES = 7
# What the samples of ffmpeg's formats are divided by.
FULL_SCALE = {"s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63, "flt": 1.0, "dbl": 1.0}


def samples_of(frame: AudioFrame) -> np.ndarray:
    """The samples [channels, time] of a frame, float32, full scale 1."""
    if frame.format.is_planar and frame.layout.nb_channels > MOST_PLANES:
        [frame] = AudioResampler(frame.format.packed.name).resample(frame)
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    kind = frame.format.name.rstrip("p")
    if kind == "u8":
        return (samples.astype(np.float32) - 128) / 128
    return samples.astype(np.float32) / FULL_SCALE[kind]
