"""Low-pass degradation: what old recordings, telephones and codecs do to the high band.

A zero-phase (forward-backward) digital filter multiplies the spectrum by |H(f)|^2, which depends on the analogue
prototype's poles and zeros at the pre-warped frequency alone. So a batch with a filter for each example costs one FFT
and one inverse, instead of two recursive passes and two resamplings per file.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from saga_sr.audio.spectrum import bandwidth_hz, fast_length
from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import Generators, uniform

RIPPLE_DB, STOP_BAND_DB = 0.1, 60.0
KINDS = ("chebyshev1", "butterworth", "bessel", "elliptic")
SECTIONS = 5  # quadratics in u, enough for order 10
# A recursive filter's ringing has to die out in the padding.
PADDING = 4096
# Of Nyquist: content up to here leaves nothing to restore.
FULL_BAND = 0.93
# The band limit's transition, in cutoffs: what decimating to the cutoff's rate and back leaves.
TRANSITION = (0.99, 1.0)


@dataclass(frozen=True)
class LowPassFilter:
    """A zero-phase low-pass: ripple 0.1 dB (chebyshev1, elliptic), stop band 60 dB (elliptic), per pass.

    Raises:
        ConfigError: an unknown kind, an order outside 1 to 10, or a cutoff that is not positive.
    """

    kind: str
    order: int
    cutoff_hz: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"Low-pass kind {self.kind!r} is not known; choose one of {', '.join(KINDS)}.")
        if not 1 <= self.order <= 2 * SECTIONS:
            raise ConfigError(f"Low-pass order {self.order} is not possible; choose 1 to {2 * SECTIONS}.")
        if not self.cutoff_hz > 0:
            raise ConfigError(f"Low-pass cutoff {self.cutoff_hz} Hz is not possible; choose one above 0 Hz.")


def zero_phase_lowpass(audio: Tensor, filters: Sequence[LowPassFilter], sample_rate: int) -> Tensor:
    """Filter each example of `audio` [b, c, time] forward and backward with its own of the `filters`.

    Twice as many filters, or more, make several versions of each example: [b * version, c, time].

    Equals `scipy.signal.sosfiltfilt` to better than -60 dB away from the edges.
    """
    return _filtered(audio, filters, sample_rate, band_limit=False)


def degrade(audio: Tensor, filters: Sequence[LowPassFilter], sample_rate: int) -> Tensor:
    """`zero_phase_lowpass`, then nothing is left above the cutoff, as after decimation to the cutoff's rate and back.

    Source: SAGA-SR's code (`jakeoneijk/SAGA-SR`).
    """
    return _filtered(audio, filters, sample_rate, band_limit=True)


def cut_above(lr: Tensor, cutoff_hz: Tensor, sample_rate: int) -> Tensor:
    """Recordings `lr` [b, c, time] with nothing left above `cutoff_hz` [b], where their content was measured to end.

    What is there in a recording (dither, codec dust, images of resampling) was never there in training. Examples that
    fill their band stay as they are.
    """
    filters = [LowPassFilter("chebyshev1", 8, hz) for hz in cutoff_hz.tolist()]
    full = (cutoff_hz >= FULL_BAND * sample_rate / 2).to(lr.device)[:, None, None]
    return torch.where(full, lr, degrade(lr, filters, sample_rate))


def _filtered(audio: Tensor, filters: Sequence[LowPassFilter], sample_rate: int, band_limit: bool) -> Tensor:
    length = audio.shape[-1]
    n = fast_length(length + 2 * PADDING)
    spectrum = torch.fft.rfft(_padded(audio.float(), n))
    highest = max(f.cutoff_hz for f in filters) if band_limit else sample_rate / 2
    bins = min(math.ceil(highest * n / sample_rate) + 1, n // 2 + 1)
    response = _response(filters, bins, sample_rate / n, sample_rate, band_limit, audio.device)
    # [b, version, c, bin]; nothing is left beyond the last bin.
    versions = response.unflatten(0, (len(audio), -1))[:, :, None] * spectrum[:, None, :, :bins]
    filtered = torch.fft.irfft(versions.flatten(0, 1), n)
    return filtered[..., PADDING : PADDING + length].to(audio.dtype)


def _padded(audio: Tensor, n: int) -> Tensor:
    """`audio` at PADDING within `n` samples, odd-reflected on both sides and faded out towards the wrap-around."""
    length = audio.shape[-1]
    padded = audio.new_zeros(*audio.shape[:-1], n)
    padded[..., PADDING : PADDING + length] = audio
    mirrored = min(PADDING, length - 1)
    if mirrored > 0:
        fade = torch.linspace(1, 0, mirrored + 1, device=audio.device)[1:]
        fade = fade * fade * (3 - 2 * fade)
        after = 2 * audio[..., -1:] - audio[..., -1 - mirrored : -1].flip(-1)
        before = 2 * audio[..., :1] - audio[..., 1 : 1 + mirrored].flip(-1)
        padded[..., PADDING + length : PADDING + length + mirrored] = after * fade
        padded[..., PADDING - mirrored : PADDING] = before * fade.flip(-1)
    return padded


def _response(
    filters: Sequence[LowPassFilter],
    bins: int,
    bin_hz: float,
    sample_rate: int,
    band_limit: bool,
    device: torch.device,
) -> Tensor:
    """|H|^2 of each filter, [filter, bins] in float32; with `band_limit`, zero above the cutoff."""
    sections = torch.from_numpy(np.stack([_sections(f.kind, f.order) for f in filters])).float().to(device)
    numerators, denominators = sections.unbind(1)
    # One row and one column in float64, which not every device has; a product of both in float32.
    cutoff_hz = torch.tensor([[min(f.cutoff_hz, 0.4999 * sample_rate)] for f in filters], dtype=torch.float64)
    hz = torch.arange(bins, dtype=torch.float64) * bin_hz
    warped, warped_cutoff = (
        torch.tan(math.pi / sample_rate * x.clamp(max=0.49999 * sample_rate)) for x in (hz, cutoff_hz)
    )
    hz, cutoff_hz, warped, warped_cutoff = (x.float().to(device) for x in (hz, cutoff_hz, warped, warped_cutoff))
    u = (warped / warped_cutoff).square_()
    response = torch.ones_like(u)
    for i in range(SECTIONS):
        response *= _quadratic(numerators[:, i], u)
        response /= _quadratic(denominators[:, i], u)
    if band_limit:
        first, last = TRANSITION
        fall = ((hz / cutoff_hz - first) / (last - first)).clamp_(0, 1)
        response *= 0.5 + 0.5 * torch.cos(math.pi * fall)
    return response


def _quadratic(coefficients: Tensor, u: Tensor) -> Tensor:
    a, b, c, d = coefficients.unsqueeze(-1).unbind(1)
    return (a * u).add_(b).square_().add_(d).addcmul_(c, u)


@functools.lru_cache(maxsize=64)
def _sections(kind: str, order: int) -> np.ndarray:
    """|H(j Omega)|^2 as products of quadratics in u = Omega^2: numerators and denominators, [2, SECTIONS, 4].

    Each is (k_0 u + k_1)^2 + k_2 u + k_3. A conjugate pair at a +- jb gives (u + a^2 - b^2)^2 + (2ab)^2, where nothing
    cancels close to the pole, so that float32 suffices; a real root gives u + a^2.
    """
    zeros, poles, gain = _prototype(kind, order)
    sides = []
    for roots in map(np.atleast_1d, (zeros, poles)):  # SciPy's elliptic of order 1 has a bare pole
        rows = [[1.0, r.real**2 - r.imag**2, 0.0, (2 * r.real * r.imag) ** 2] for r in roots if r.imag > 1e-12]
        rows += [[0.0, 0.0, 1.0, r.real**2] for r in roots if abs(r.imag) <= 1e-12]
        sides.append(np.array(rows + [[0.0, 0.0, 0.0, 1.0]] * (SECTIONS - len(rows))))
    sides[0][0] *= (gain, gain, gain**2, gain**2)
    return np.stack(sides)


def _prototype(kind: str, order: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Zeros, poles and gain of the analogue low-pass with its cutoff at 1 rad/s."""
    if kind == "chebyshev1":
        return _chebyshev1(order)
    from scipy import signal  # importing it takes longer than enhancing a clip, which needs the kind above alone

    if kind == "elliptic":
        return signal.ellipap(order, RIPPLE_DB, STOP_BAND_DB)
    return signal.buttap(order) if kind == "butterworth" else signal.besselap(order)


def _chebyshev1(order: int) -> tuple[np.ndarray, np.ndarray, float]:
    ripple = math.sqrt(10 ** (RIPPLE_DB / 10) - 1)
    angle = np.pi * np.arange(1 - order, order, 2) / (2 * order)
    poles = -np.sinh(math.asinh(1 / ripple) / order + 1j * angle)
    # Even orders begin at the bottom of their ripple.
    gain = float(np.prod(-poles).real) / (1 if order % 2 else math.hypot(1, ripple))
    return np.array([]), poles, gain


@dataclass(frozen=True)
class Degraded:
    """Low-passed audio `lr` [b, c, time], and where each example's content now ends, `cutoff_hz` [b]."""

    lr: Tensor
    cutoff_hz: Tensor


class Degradation(Protocol):
    """Makes the low-resolution input of training.

    Attributes:
        on_cpu: it runs on the CPU alone, clip by clip, so that whoever makes the clips had better do it.
    """

    on_cpu: bool

    def __call__(self, hr: Tensor, generators: Generators) -> Degraded:
        """Degrade `hr` [b, c, time]; CPU `generators` draw, so that a seed means the same on any device."""


@runtime_checkable
class Scheduled(Degradation, Protocol):
    """One that changes as training goes on."""

    def at(self, item: int) -> Degradation:
        """What it is for item `item` of training."""


class LowPassDegradation:
    """A random low-pass for each example.

    Args:
        sample_rate: Hz.
        cutoff_hz: lowest and highest cutoff, drawn uniformly from as much of it as `sample_rate` has.
        order: lowest and highest order, drawn uniformly.
        kinds: drawn uniformly.
        bandwidth_fraction: no cutoff lies above this share of the example's own bandwidth.

    Raises:
        ConfigError: a range that is empty or outside what filters can do.

    Source: SAGA-SR (arXiv 2509.24924) and its code.
    """

    on_cpu = False

    def __init__(
        self,
        sample_rate: int,
        cutoff_hz: tuple[float, float] = (2000.0, 16000.0),
        order: tuple[int, int] = (2, 10),
        kinds: Sequence[str] = KINDS,
        bandwidth_fraction: float = 0.94,
    ) -> None:
        low, high = cutoff_hz
        # An upper end above half the rate is one for all rates: no example's own bandwidth reaches it.
        if not 0 < low <= high or low > sample_rate / 2:
            raise ConfigError(
                f"degradation.cutoff_hz={list(cutoff_hz)} must rise, and begin within 0 to {sample_rate / 2:g} Hz."
            )
        if order[0] > order[1] or not kinds or not 0 < bandwidth_fraction <= 1:
            raise ConfigError(
                f"degradation.order={list(order)}, kinds={list(kinds)}, bandwidth_fraction={bandwidth_fraction} leave "
                "nothing to draw; give a rising range, at least one kind, and a share in (0, 1]."
            )
        for kind in kinds:
            for limit in order:
                LowPassFilter(kind, limit, low)
        self.sample_rate = sample_rate
        self.cutoff_hz = (low, high)
        self.order = (order[0], order[1])
        self.kinds = tuple(kinds)
        self.bandwidth_fraction = bandwidth_fraction

    def draw(self, bandwidths_hz: Sequence[float], generators: Generators) -> list[LowPassFilter]:
        """A filter for each bandwidth, drawn from CPU `generators`."""
        low, high = self.cutoff_hz
        first, last = self.order
        filters = []
        for (a, b, c), bandwidth in zip(
            uniform([len(bandwidths_hz), 3], generators).tolist(), bandwidths_hz, strict=True
        ):
            limit = self.bandwidth_fraction * bandwidth
            cutoff = min(low, limit) + a * (min(high, limit) - min(low, limit))
            kind = self.kinds[int(b * len(self.kinds))]
            filters.append(LowPassFilter(kind, first + int(c * (last - first + 1)), cutoff))
        return filters

    def __call__(self, hr: Tensor, generators: Generators) -> Degraded:
        """Degrade `hr` [b, c, time]; CPU `generators` draw, so that a seed means the same on any device."""
        filters = self.draw(bandwidth_hz(hr, self.sample_rate).tolist(), generators)
        cutoffs = torch.tensor([f.cutoff_hz for f in filters], device=hr.device)
        return Degraded(degrade(hr, filters, self.sample_rate), cutoffs)
