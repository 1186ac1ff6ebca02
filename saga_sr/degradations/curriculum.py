"""From the easy to the hard: cutoffs that fall as training goes on."""

from __future__ import annotations

from typing import Any

from saga_sr.audio.degradation import LowPassDegradation
from saga_sr.core.errors import ConfigError


class CutoffCurriculum(LowPassDegradation):
    """A random low-pass whose range of cutoffs moves from one to another, and the inputs' edges and roll-offs with it.

    How far it has come depends on the number of a training's item alone: it goes on exactly after a stop, and on any
    number of processes. Validation, and whoever has no numbers of items, is given the last range.

    Args:
        sample_rate: Hz.
        begin_hz: the range that training begins with.
        items: of training, until the range is `cutoff_hz`: steps times the batch, over all processes.
        cutoff_hz: the last range.
        **settings: of `LowPassDegradation`.

    Raises:
        ConfigError: a range that is none, or no items.
    """

    # Whoever makes an item knows its number.
    on_cpu = True

    def __init__(
        self,
        sample_rate: int,
        begin_hz: tuple[float, float],
        items: int,
        cutoff_hz: tuple[float, float] = (2000.0, 16000.0),
        **settings: Any,
    ) -> None:
        super().__init__(sample_rate, cutoff_hz, **settings)
        if items < 1:
            raise ConfigError(f"degradation.items={items} must be at least 1.")
        self.begin_hz = LowPassDegradation(sample_rate, begin_hz).cutoff_hz
        self.items = items
        self.settings = settings

    def at(self, item: int) -> LowPassDegradation:
        """What item `item` of training goes through: both ends of the range move evenly in octaves."""
        share = min(item / self.items, 1.0)
        low, high = (
            begin ** (1 - share) * end**share for begin, end in zip(self.begin_hz, self.cutoff_hz, strict=True)
        )
        return LowPassDegradation(self.sample_rate, (low, high), **self.settings)
