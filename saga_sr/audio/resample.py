"""Change of sampling rate."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from scipy import signal
from torch import Tensor
from torchaudio.functional import resample as torchaudio_resample

ZERO_CROSSINGS, ROLLOFF, BETA = 64, 0.9475937167399596, 14.769656459379492
# torchaudio holds a kernel of about this many values; rates that share no factor would take gigabytes.
LARGEST_KERNEL = 2e7


def resample(audio: Tensor, from_hz: int, to_hz: int) -> Tensor:
    """`audio` [..., time] at another rate: windowed-sinc interpolation (Kaiser, 64 zero crossings, -120 dB).

    Returns:
        [..., ceil(time * to_hz / from_hz)].
    """
    if from_hz == to_hz:
        return audio
    shared = math.gcd(from_hz, to_hz)
    up, down = to_hz // shared, from_hz // shared
    if up * down > LARGEST_KERNEL:
        changed = signal.resample_poly(audio.double().cpu().numpy(), up, down, axis=-1, window=_low_pass(up, down))
        return torch.from_numpy(changed).to(audio)
    return torchaudio_resample(
        audio,
        from_hz,
        to_hz,
        lowpass_filter_width=ZERO_CROSSINGS,
        rolloff=ROLLOFF,
        resampling_method="sinc_interp_kaiser",
        beta=BETA,
    )


@lru_cache(maxsize=2)
def _low_pass(up: int, down: int) -> np.ndarray:
    """The same interpolation kernel, sampled at `up` times the input's rate for a polyphase filter."""
    slower = max(up, down)
    return signal.firwin(2 * ZERO_CROSSINGS * slower + 1, ROLLOFF / slower, window=("kaiser", BETA))
