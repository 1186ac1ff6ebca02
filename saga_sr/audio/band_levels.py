"""Levels of bands in dB: what surrounds them, and what lies above."""

from __future__ import annotations

import numpy as np

# A tone that is no content stands out by this much, in this share of the sections.
TONE_DB, TONE_SHARE = 6.0, 0.7


def without_tones(level: np.ndarray) -> np.ndarray:
    """Levels in dB [channel, section, band] with narrow lines that last brought down to what surrounds them."""
    around = np.stack([np.roll(level, shift, axis=-1) for shift in (-6, -5, -4, -3, 3, 4, 5, 6)])
    lasting = (level > around.max(axis=0) + TONE_DB).mean(axis=1, keepdims=True) > TONE_SHARE
    ring = np.median(around, axis=0)
    lasting = np.logical_or.reduce([np.roll(lasting, shift, axis=-1) for shift in (-2, -1, 0, 1, 2)])
    return np.where(lasting, np.minimum(level, ring), level)


def smoothed(level: np.ndarray) -> np.ndarray:
    """Levels in dB, their power averaged with that of two bands on either side."""
    padded = np.pad(10 ** (level / 10), [(0, 0)] * (level.ndim - 1) + [(2, 2)], mode="edge")
    total = sum(padded[..., shift : shift + level.shape[-1]] for shift in range(5))
    return 10 * np.log10(total / 5)


def evened(level: np.ndarray) -> np.ndarray:
    """Levels [band] averaged in dB, by which a slope stays where it is."""
    return np.convolve(np.pad(level, 2, mode="edge"), np.full(5, 0.2), mode="valid")


def loudest_from(level: np.ndarray) -> np.ndarray:
    """The loudest of each band and all above it."""
    return np.maximum.accumulate(level[..., ::-1], axis=-1)[..., ::-1]


def span_mean(values: np.ndarray, first: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Mean over bands `first` to `end` (excluded), for each band."""
    total = np.concatenate([np.zeros_like(values[..., :1]), values.cumsum(axis=-1)], axis=-1)
    return (total[..., end] - total[..., first]) / (end - first).astype(values.dtype)


def running_minimum(values: np.ndarray, reach: int) -> np.ndarray:
    """Least of each section and `reach` on either side."""
    padded = np.pad(values, ((0, 0), (reach, reach), (0, 0)), mode="edge")
    least = values
    for i in range(2 * reach + 1):
        least = np.minimum(least, padded[:, i : i + values.shape[1]])
    return least
