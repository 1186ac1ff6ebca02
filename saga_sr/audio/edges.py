"""Where a recording's content ends, per channel and in time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from saga_sr.audio.band_levels import (
    evened,
    loudest_from,
    running_minimum,
    smoothed,
    span_mean,
    without_tones,
)
from saga_sr.audio.section_spectra import SectionLevels, SectionSpectra
from saga_sr.audio.slopes import KNEE_DB, fitted_slope

# Levels further than this below the loudest band of a section count as nothing.
RANGE_DB = 100.0
# A fall of the first is no sign of an edge, one of the second a full one.
NO_CLIFF_DB, CLIFF_DB = 12.0, 24.0
# Content above an edge speaks against it where it is this far above the floor,
ABOVE_FLOOR_DB = 8.0
# and no further than this below what is under the edge, the full vote; or than the second, none.
CONTENT_DB, FAINT_DB = 15.0, 35.0
# A slope falls by the first within an octave, after an octave that falls by no more than the second.
SLOPE_DB, TILT_DB = 20.0, 10.0
# It begins between these: above, voices and cymbals fall as steeply by themselves.
KNEE_HZ = (1000.0, 7000.0)
# Recordings fall by themselves, in an octave between these.
MATERIAL_DB = (2.0, 8.0)
# It has no formants or partials that stand out by more than this.
BUMP_DB = 4.0
# What falls by less than this in a sixth of an octave is a shelf.
SHELF_DB = 3.0
# Steeper falls from 3 to 20 dB are cliffs.
CLIFF_RATIO = 1.06
# Slopes where that is more are fitted.
GENTLE = 1.2
# A fall of the first within a tenth of the frequency is no slope, if the second below the loudest band or less.
SHARP_DB = 18.0
AUDIBLE_DB = 70.0
# A steady floor is this far below the loudest band under it.
HISS_DB = 40.0
# Bands this far apart are told apart in the short frames of attacks.
SHORT_HZ = 1200.0
# Sections that have to speak for another edge before it is believed.
CHANGE = 1.5
# Lowest edge, and the share of Nyquist from which a recording is full band.
LOWEST_HZ, FULL = 1800.0, 0.94
# Sections on each side in which a floor is looked for.
FLOOR_SECTIONS = 8


@dataclass(frozen=True)
class Edge:
    """A stretch of a channel and where its content ends: Nyquist where nothing is missing.

    Attributes:
        hz: where the content ends, on a gentle slope where that has lost 20 to 30 dB.
        knee_hz: where it has lost 3 to 6 dB; `hz` where it ends at a cliff.
    """

    begin_s: float
    end_s: float
    hz: float
    knee_hz: float = field(default=np.nan)

    def __post_init__(self) -> None:
        if np.isnan(self.knee_hz):
            object.__setattr__(self, "knee_hz", self.hz)


class EdgeFinder:
    """Finds the edges of a recording that comes in blocks.

    Args:
        sample_rate: Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._spectra = SectionSpectra(sample_rate)

    def add(self, block: Tensor) -> None:
        """Take the next block, [channel, time]."""
        self._spectra.add(block)

    def finish(self) -> list[list[Edge]]:
        """The stretches of each channel, in order and without gaps."""
        lasting, attacks = self._spectra.finish()
        band_hz, nyquist_hz = self._spectra.band_hz, self._spectra.sample_rate / 2
        # One channel after the other, since ten hours make arrays of 24 MB each.
        return [
            self._stretches(Votes(lasting.channel(channel), attacks.channel(channel), band_hz, nyquist_hz))
            for channel in range(len(lasting.loud))
        ]

    def finish_as_one(self) -> float:
        """One edge for all channels and all the time."""
        votes = Votes(*self._spectra.finish(), self._spectra.band_hz, self._spectra.sample_rate / 2)
        state = int(votes.score.sum(axis=(0, 1)).argmax())
        flat, floor = (levels.reshape(-1, levels.shape[-1]) for levels in (votes.loud, votes.floor))
        return votes.refined(flat, floor.min(axis=0), state)[1]

    def _stretches(self, votes: Votes) -> list[Edge]:
        path = most_likely_path(votes.score[0], CHANGE)
        changes = np.flatnonzero(np.diff(path)) + 1
        begins, ends = [0, *changes.tolist()], [*changes.tolist(), len(path)]
        end_s = self._spectra.num_samples / self._spectra.sample_rate
        stretches = []
        for begin, end in zip(begins, ends, strict=True):
            loud, floor = votes.loud[0, begin:end], votes.floor[0, begin:end]
            knee_hz, hz = votes.refined(loud, floor.min(axis=0), int(path[begin]))
            last = end_s if end == len(path) else end * self._spectra.section_s
            stretches.append(Edge(begin * self._spectra.section_s, last, hz, knee_hz))
        return stretches


def find_edges(audio: Tensor, sample_rate: int) -> list[list[Edge]]:
    """The stretches of each channel of [channel, time], as `EdgeFinder` finds them."""
    finder = EdgeFinder(sample_rate)
    finder.add(audio)
    return finder.finish()


def content_edge_hz(audio: Tensor, sample_rate: int) -> float:
    """One edge for a whole clip, [channel, time] -> Hz; Nyquist for a full band and for silence."""
    finder = EdgeFinder(sample_rate)
    finder.add(audio)
    return finder.finish_as_one()


class Votes:
    """What each section says of each edge. States are the bands, an edge being at a band's upper end, and full band.

    Args:
        lasting, attacks: levels of what lasts and of what is short.
        band_hz: lower and upper frequency of each band, [band, 2].
        nyquist_hz: what full band is.
    """

    def __init__(self, lasting: SectionLevels, attacks: SectionLevels, band_hz: np.ndarray, nyquist_hz: float) -> None:
        self.nyquist_hz = nyquist_hz
        self.upper_hz = band_hz[:, 1]
        self.centre = band_hz.mean(axis=1)
        loud, quiet = lasting
        bottom = np.maximum(loud.max(axis=-1, keepdims=True), loud.max(axis=(1, 2), keepdims=True) - 20) - RANGE_DB
        self.loud = without_tones(np.maximum(loud, bottom))
        floor = smoothed(np.minimum(np.maximum(quiet, bottom), self.loud))
        self.floor = running_minimum(floor, FLOOR_SECTIONS)
        self.score = self._score(smoothed(self.loud), self.floor, self._against_attacks(attacks))

    def _score(self, level: np.ndarray, floor: np.ndarray, against: np.ndarray) -> np.ndarray:
        """What speaks for each state, [channel, section, state], at most 1; of edges that are as likely, the lower."""
        hz = self.upper_hz
        first = np.searchsorted(hz, hz / 1.3)
        end = np.maximum(np.searchsorted(hz, hz / 1.02, side="right"), first + 1)
        below = span_mean(level, first, end)
        above = np.searchsorted(self.centre, hz * 1.04) + 2
        usable = (hz > LOWEST_HZ) & (hz < FULL * self.nyquist_hz) & (above < len(hz))
        above = np.minimum(above, len(hz) - 1)
        fall = below - loudest_from(level)[..., above]
        cliff = np.clip((fall - NO_CLIFF_DB) / (CLIFF_DB - NO_CLIFF_DB), 0, 1)
        # What is steady and faint is a floor, even where an encoder has cut it off.
        faint = below < np.maximum.accumulate(level, axis=-1) - HISS_DB
        cliff = np.where(faint & (below < span_mean(floor, first, end) + ABOVE_FLOOR_DB), 0, cliff)
        against = np.maximum(against, _content_above(level, floor, below, above))
        score = np.where(usable, cliff - against - (0.05 * hz / self.nyquist_hz).astype(level.dtype), -10.0)
        return np.concatenate([score, np.zeros_like(score[..., :1])], axis=-1)

    def _against_attacks(self, attacks: SectionLevels) -> np.ndarray:
        """What attacks above each edge speak against it, [channel, section, band]."""
        hz = self.upper_hz
        last = len(hz) - 1
        first, above = (
            np.minimum(np.searchsorted(self.centre, hz * 1.04 + shift), last) for shift in (-SHORT_HZ, SHORT_HZ)
        )
        bins = attacks.loud.shape[-1] - 1
        nearest = np.minimum(np.rint(self.centre / self.nyquist_hz * bins).astype(np.int64), bins)
        loud = attacks.loud[..., nearest]
        floor = running_minimum(np.minimum(attacks.quiet, attacks.loud), FLOOR_SECTIONS)[..., nearest]
        below = span_mean(loud, first, np.maximum(np.arange(len(hz)), first) + 1)
        return _content_above(loud, floor, below, above)

    def refined(self, loud: np.ndarray, floor: np.ndarray, state: int) -> tuple[float, float]:
        """Knee and edge in Hz of sections' spectra [section, band] above a floor [band] whose state is `state`."""
        loudness = loud.max(axis=-1)
        loud = loud[loudness >= loudness.max() - 30]
        level = 10 * np.log10(np.mean(10 ** (loud / 10), axis=0))
        hz = float(self.upper_hz[state]) if state < len(self.upper_hz) else self.nyquist_hz
        if self._slope_hz(level, floor) < hz / 1.1 and not self._is_cliff(level, hz):
            fit = fitted_slope(level, self.centre, self.nyquist_hz)
            if fit[0] < KNEE_HZ[1]:
                return fit
        if hz == self.nyquist_hz:
            return hz, hz
        hz = self._cliff_hz(level, hz)
        knee_hz = self._knee_hz(level, hz)
        if knee_hz > hz / GENTLE:
            return knee_hz, hz
        near = self.centre < 1.2 * hz
        fit = fitted_slope(level[near], self.centre[near], self.nyquist_hz)
        return fit if hz / 1.3 < fit[1] < 1.3 * hz else (knee_hz, hz)

    def _is_cliff(self, level: np.ndarray, hz: float) -> bool:
        """Whether content that is not faint ends at once at `hz`, which no slope does."""
        below = level[(self.centre > hz / 1.1) & (self.centre < hz / 1.03)].mean()
        above = level[(self.centre > hz * 1.03) & (self.centre < hz * 1.1)]
        return below > level.max() - AUDIBLE_DB and len(above) > 0 and below - above.mean() > SHARP_DB

    def _knee_hz(self, level: np.ndarray, hz: float) -> float:
        """Where the level begins to fall to the cliff at `hz`: there, if within what bands tell apart."""
        level = evened(level)
        below = level[(self.centre < hz / 1.15) & (self.centre > hz / 1.6)].mean()
        knee_hz = self._last_above(level, below - KNEE_DB, (self.centre > hz / 1.6) & (self.centre < hz), hz)
        return min(hz, knee_hz * CLIFF_RATIO)

    def _cliff_hz(self, level: np.ndarray, hz: float) -> float:
        """Where the level is 16 dB down the cliff at about `hz`, or half-way down to a shelf; 25 dB down a slope."""
        below = level[(self.centre < hz / 1.04) & (self.centre > hz / 1.4)].mean()
        above = level[self.centre > hz * 1.08].max()
        near = (self.centre > hz / 1.12) & (self.centre < hz * 1.1)
        cliff_hz = self._last_above(level, below - min(16.0, (below - above) / 2), near, hz)
        even = evened(level)
        foot_hz = self._last_above(even, below - 25, (self.centre > hz / 1.12) & (self.centre < hz * 1.8), hz)
        shelf = np.interp([1.08 * cliff_hz, 1.2 * cliff_hz], self.centre, even)
        return foot_hz if foot_hz > 1.1 * cliff_hz and shelf[0] - shelf[1] > SHELF_DB else cliff_hz

    def _last_above(self, level: np.ndarray, threshold: float, where: np.ndarray, otherwise: float) -> float:
        """The highest frequency among the bands `where` at which the level crosses the threshold."""
        found = np.flatnonzero(where & (level > threshold))
        if not len(found) or found[-1] + 1 >= len(level):
            return otherwise
        last = found[-1]
        share = min(1.0, (level[last] - threshold) / max(level[last] - level[last + 1], 1e-6))
        return float(self.centre[last] + share * (self.centre[last + 1] - self.centre[last]))

    def _slope_hz(self, level: np.ndarray, floor: np.ndarray) -> float:
        """Where a slope of 24 dB/octave or more, after a plateau, has lost 24 dB; infinite where there is none."""
        level = evened(level)
        rise = loudest_from(level) - level
        content = (level > floor + ABOVE_FLOOR_DB) & (self.centre < 0.9 * self.nyquist_hz)
        highest = min(KNEE_HZ[1], self.nyquist_hz / 2.1)
        for knee in self.upper_hz[(self.upper_hz > KNEE_HZ[0]) & (self.upper_hz < highest)]:
            far_hz = min(3.5 * knee, 0.9 * self.nyquist_hz)
            plateau = level[(self.centre > knee / 1.5) & (self.centre < knee)].mean()
            before = level[(self.centre > knee / 3) & (self.centre < knee / 1.5)].mean()
            beyond = level[self.centre > 1.9 * knee].max()
            far = content & (self.centre > 1.9 * knee)
            least = 0.8 * SLOPE_DB * np.log2(self.centre / (1.9 * knee)) - BUMP_DB
            falls = plateau - beyond >= SLOPE_DB and (beyond - level - least)[far].min(initial=np.inf) > 0
            smooth = rise[(self.centre > knee) & (self.centre < far_hz)].max() <= BUMP_DB
            if falls and smooth and abs(before - plateau) <= TILT_DB:
                # What the material itself loses above the knee, by what it loses below.
                tilt = np.clip(before - plateau, *MATERIAL_DB) * np.log2(np.maximum(1.2 * self.centre / knee, 1))
                return self._last_above(level + tilt, plateau - 24.0, self.centre < 4 * knee, np.inf)
        return np.inf


def _content_above(level: np.ndarray, floor: np.ndarray, below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """How far content from band `above` on speaks against an edge with a level `below` it, 0 to 1, for each edge."""
    content = loudest_from(np.where(level > floor + ABOVE_FLOOR_DB, level, -np.inf))[..., above]
    # Just under a band that is empty anyhow stands little to compare with.
    reference = np.maximum(below, np.maximum.accumulate(level, axis=-1) - 20)
    return np.clip((FAINT_DB - (reference - content)) / (FAINT_DB - CONTENT_DB), 0, 1)


def most_likely_path(score: np.ndarray, change: float) -> np.ndarray:
    """The states [section] with the greatest sum of `score` [section, state], less `change` for each change."""
    total = score[0].copy()
    stays = np.zeros(score.shape, dtype=bool)
    best = np.zeros(len(score), dtype=np.int64)
    for section in range(1, len(score)):
        best[section] = total.argmax()
        moved = total[best[section]] - change
        stays[section] = total >= moved
        total = np.maximum(total, moved) + score[section]
    path = np.empty(len(score), dtype=np.int64)
    path[-1] = total.argmax()
    for section in range(len(score) - 1, 0, -1):
        path[section - 1] = path[section] if stays[section, path[section]] else best[section]
    return path
