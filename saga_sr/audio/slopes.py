"""Where a gentle low-pass begins and ends, told apart from the fall of the material itself."""

from __future__ import annotations

import numpy as np

# Spectra are compared at points this far apart, in octaves, from this frequency upwards.
STEP, LOWEST_HZ = 0.1, 250.0
# What is nearer to the lowest level, or further below the highest, is a floor.
FLOOR_DB, RANGE_DB = 5.0, 85.0
# Low-passes are `stages` in a row of |H|^2 = 1 / (1 + (f / cutoff)^(2 order)).
SHAPES = np.array([(stages, 2) for stages in (2, 2.5, 3, 3.5, 4, 5, 6)] + [(1, 4 + step) for step in range(9)])
CUTOFF_HZ, CUTOFF_STEP = 800.0, 1 / 16
# The material's fall in dB/octave is near the first, give or take the second,
TILT_DB, TILT_SPREAD_DB = -4.0, 3.0
TILTS = np.arange(-10.0, 3.0)
# and wanders by one of these in dB per root of an octave, beside an error of measuring.
WANDERS_DB, ERROR_DB = (1.5, 3.0, 6.0, 12.0), 0.4
# Degrees of freedom of Student's distribution, by which formants and partials may stand out.
FREEDOM = 4.0
# Where the low-pass has lost this much it begins, and ends.
KNEE_DB, END_DB = 4.5, 25.0


def fitted_slope(level: np.ndarray, centre_hz: np.ndarray, nyquist_hz: float) -> tuple[float, float]:
    """Where the low-pass on a recording begins and ends, the means of what its spectrum leaves possible.

    The material's level is taken for a walk over log frequency of unknown tilt and roughness, so that only differences
    of neighbouring levels matter, and each low-pass has a likelihood. Their posterior means bear a spectrum with bumps
    better than the best fit does.

    Args:
        level: dB, [band].
        centre_hz: of the bands, [band].
        nyquist_hz: which digital filters have lost everything at.

    Returns:
        Where it has lost 4.5 dB, and 25 dB, in Hz.
    """
    octave, points = _points(level, centre_hz)
    above_floor = np.flatnonzero(points > max(points.min() + FLOOR_DB, points.max() - RANGE_DB))
    octave, points = octave[: above_floor[-1] + 1], points[: above_floor[-1] + 1]
    cutoff = _warped(np.exp2(np.arange(np.log2(CUTOFF_HZ), np.log2(0.75 * nyquist_hz), CUTOFF_STEP)), nyquist_hz)
    cutoff, stages, order = (
        np.repeat(cutoff, len(SHAPES)),
        np.tile(SHAPES[:, 0], len(cutoff)),
        np.tile(SHAPES[:, 1], len(cutoff)),
    )
    ratio = _warped(np.exp2(octave), nyquist_hz) / cutoff[:, None]
    loss = 10 * stages[:, None] * np.log10(1 + ratio ** (2 * order[:, None]))
    likelihood = _log_likelihood(np.diff(points) + np.diff(loss, axis=-1), np.diff(octave))
    weight = np.exp(likelihood - likelihood.max())

    def mean_hz(db: float) -> float:
        hz = _unwarped(cutoff * (10 ** (db / (10 * stages)) - 1) ** (1 / (2 * order)), nyquist_hz)
        return float(np.exp(np.average(np.log(hz), weights=weight)))

    return mean_hz(KNEE_DB), mean_hz(END_DB)


def _points(level: np.ndarray, centre_hz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Levels averaged so that they are `STEP` apart or more: log2 of their frequency and dB, [point] each."""
    octave = np.log2(centre_hz[centre_hz > LOWEST_HZ])
    level = level[centre_hz > LOWEST_HZ]
    starts = [0]
    for i in range(len(octave)):
        if octave[i] - octave[starts[-1]] >= STEP:
            starts.append(i)
    count = np.diff([*starts, len(octave)])
    return np.add.reduceat(octave, starts) / count, np.add.reduceat(level, starts) / count


def _log_likelihood(steps: np.ndarray, octaves: np.ndarray) -> np.ndarray:
    """That of the material's `steps` in dB [hypothesis, step] over `octaves` [step], with the best tilt and wander."""
    best = np.full(len(steps), -np.inf)
    for wander in WANDERS_DB:
        variance = wander**2 * octaves + ERROR_DB**2
        for tilt in TILTS:
            prior = -0.5 * ((tilt - TILT_DB) / TILT_SPREAD_DB) ** 2 - 0.5 * np.log(variance).sum()
            deviation = (steps - tilt * octaves) ** 2 / variance
            best = np.maximum(best, prior - (FREEDOM + 1) / 2 * np.log1p(deviation / FREEDOM).sum(axis=-1))
    return best


def _warped(hz: np.ndarray, nyquist_hz: float) -> np.ndarray:
    """The frequency of an analogue filter that the bilinear transform takes to `hz`."""
    return np.tan(np.pi / 2 * np.minimum(hz / nyquist_hz, 0.999))


def _unwarped(warped: np.ndarray, nyquist_hz: float) -> np.ndarray:
    """The inverse of `_warped`."""
    return 2 / np.pi * nyquist_hz * np.arctan(warped)
