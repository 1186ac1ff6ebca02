"""What the figures of `invariances` are, and what is right.

In all of them the high band is what lies above 1.1 x the cutoff, where nothing is the input's any more, and the low
band what lies up to 0.8 x, where all of it should be (`bands`). An error is the energy of a difference relative to that
of what it is compared with, in dB. Decibels are kept within +-120, so that what is exactly equal gives a finite number.
"""

from __future__ import annotations

from dataclasses import dataclass

from saga_sr.evaluation.metrics import LIMIT_DB

# The chunks whose joins are looked at.
CHUNK_S, OVERLAP_S = 0.75, 0.25
# The first is that of quiet passages, too.
GAINS_DB = (-40.0, -20.0, 12.0)
PAN_DB = 12.0
# What is left out beside the change from loud to quiet: a level is that of what is around.
CHANGE_S = 0.6


@dataclass(frozen=True)
class Figure:
    """A figure, whose perfect value is `ideal`; it is right within `tolerance` of that."""

    title: str
    ideal: float
    tolerance: float
    meaning: str

    @property
    def right(self) -> str:
        """What is right, in short."""
        if self.ideal == -LIMIT_DB:
            return f"≤ {self.ideal + self.tolerance:g}"
        return f"{self.ideal:g} ± {self.tolerance:g}" if self.tolerance else f"{self.ideal:g}"

    def is_right(self, value: float) -> bool:
        """Whether `value` is."""
        return abs(value - self.ideal) <= self.tolerance

    def text(self, value: float) -> str:
        """`value` in two decimals; what has to be exact, in three digits."""
        return f"{round(value, 2) + 0.0:.2f}" if self.tolerance else f"{value:.3g}"


FIGURES = {
    "gain_error_db": Figure(
        "gain: error (dB)",
        -LIMIT_DB,
        60,
        "The result of a clip at -40, -20 and +12 dB, brought back to its level, against that of the clip itself; the "
        "worst. The result shall be louder by what the input is, and nothing else.",
    ),
    "gain_high_band_db": Figure(
        "gain: high band (dB)",
        0,
        0.5,
        "By how much the high band relative to the low band differs between these levels. It shall not depend on them.",
    ),
    "passages_db": Figure(
        "quiet after loud (dB)",
        0,
        1,
        "A clip followed by itself at -40 dB: the high band relative to the low band in each passage, minus what it is "
        "when the passage stands alone; the worse, 0.6 s (or half of the clip) beside the change left out. Each "
        "passage shall be restored as it would be alone.",
    ),
    "polarity_error_db": Figure(
        "polarity: error (dB)",
        -LIMIT_DB,
        60,
        "The result of the inverted clip, inverted, against that of the clip. They shall be the same.",
    ),
    "pan_db": Figure(
        "pan (dB)",
        0,
        0.1,
        "A clip panned by 12 dB: the level of the channels against each other in the high band, minus that in the low "
        "band. The high band shall come from where the low band does.",
    ),
    "antiphase_correlation": Figure(
        "antiphase: correlation",
        -1,
        0.05,
        "A clip and its negative as channels: their correlation in the high band. It shall be negative, too.",
    ),
    "dual_mono_db": Figure(
        "dual mono: difference (dB)",
        -LIMIT_DB,
        0,
        "A clip as both channels: the second against the first. They shall stay the same.",
    ),
    "empty_channel_peak": Figure(
        "empty channel: peak",
        0,
        0,
        "A clip beside a silent channel: the largest sample there, of a full scale of 1. It shall stay silent.",
    ),
    "coherence": Figure(
        "two sources: coherence",
        0,
        0.15,
        "Two clips as channels, one of them backwards: the coherence of the channels in the high band, minus that in "
        "the octave below the cutoff. What is independent shall stay so.",
    ),
    "swap_error_db": Figure(
        "swapped channels: error (dB)",
        -LIMIT_DB,
        60,
        "The same with its channels swapped, the result's swapped back, against the result of it as it was. They shall "
        "be the same.",
    ),
    "low_band_error_db": Figure(
        "low band: error (dB)",
        -LIMIT_DB,
        40,
        "The low band of the result against that of the input. It shall be the input's.",
    ),
    "chunks_error_db": Figure(
        "chunks: error (dB)",
        -LIMIT_DB,
        80,
        "A clip in chunks of 0.75 s that overlap by 0.25 s against the whole. The joins shall not be heard.",
    ),
    "chunks_level_db": Figure(
        "chunks: level (dB)",
        0,
        1,
        "The same, by the level of the high band over 0.2 s, where that is within 40 dB of the loudest; the largest "
        "difference. There shall be no step at a join.",
    ),
}
