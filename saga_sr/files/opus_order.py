"""In which order ffmpeg's Opus encoder is to be given channels, so that each comes out at its own place."""

from __future__ import annotations

from functools import cache
from io import BytesIO

import av
import numpy as np

from saga_sr.files.channel_layout import DEFAULT_MASKS, layout_name
from saga_sr.files.frame_samples import samples_of

# A tone for each channel, so low that the channel for low frequencies has it too.
RATE, FRAMES, LOWEST_HZ = 48_000, 9600, 50


@cache
def opus_order(channels: int) -> tuple[int, ...]:
    """Which of `channels` stands at each place; it is found out by encoding a tone in each.

    ffmpeg 8.1 writes those of 5.0 and 6.1 in a wrong order, and it need not stay so.

    Raises:
        ValueError: channels do not come out again.
    """
    layout, file = layout_name(DEFAULT_MASKS[channels]), BytesIO()
    tones = np.sin(2 * np.pi * LOWEST_HZ / RATE * np.outer(np.arange(FRAMES), np.arange(channels) + 1))
    with av.logging.Capture():
        with av.open(file, "w", format="opus") as container:
            stream = container.add_stream("libopus", rate=RATE, layout=layout)
            assert isinstance(stream, av.AudioStream)
            stream.bit_rate = 64_000 * channels
            frame = av.AudioFrame.from_ndarray((tones / 4).astype(np.float32).reshape(1, -1), "flt", layout)
            frame.sample_rate, frame.pts = RATE, 0
            container.mux([*stream.encode(frame), *stream.encode(None)])
        with av.open(BytesIO(file.getvalue()), "r") as opened:
            heard = np.concatenate([samples_of(frame) for frame in opened.decode(audio=0)], axis=1)[:, :FRAMES]
    places = np.abs(np.fft.rfft(heard)).argmax(axis=1) * RATE // FRAMES // LOWEST_HZ - 1
    if sorted(places) != [*range(channels)]:
        raise ValueError(channels)
    return tuple(int(place) for place in places.argsort())
