"""Change of sampling rate."""

from __future__ import annotations

from torch import Tensor
from torchaudio.functional import resample as torchaudio_resample


def resample(audio: Tensor, from_hz: int, to_hz: int) -> Tensor:
    """`audio` [..., time] at another rate: windowed-sinc interpolation (Kaiser, 64 zero crossings, -120 dB).

    Returns:
        [..., ceil(time * to_hz / from_hz)].
    """
    if from_hz == to_hz:
        return audio
    return torchaudio_resample(
        audio,
        from_hz,
        to_hz,
        lowpass_filter_width=64,
        rolloff=0.9475937167399596,
        resampling_method="sinc_interp_kaiser",
        beta=14.769656459379492,
    )
