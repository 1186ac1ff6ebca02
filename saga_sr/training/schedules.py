"""Learning-rate schedules: factors on the base rate, by optimiser step from 0."""

from __future__ import annotations

import math
import time
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from saga_sr.core.errors import ConfigError


class InverseLR(LambdaLR):
    """lr (1 - warmup^(k+1)) (1 + k / inv_gamma)^(-power), with k the step from 0.

    Source: stable-audio-tools' schedule of the same name, the one SAGA-SR trains with.
    """

    def __init__(self, optimizer: Optimizer, inv_gamma: float = 1e6, power: float = 0.5, warmup: float = 0.99) -> None:
        if not 0 <= warmup < 1:
            raise ConfigError(f"scheduler.warmup={warmup} must lie in [0, 1).")
        super().__init__(optimizer, lambda k: (1 - warmup ** (k + 1)) * (1 + k / inv_gamma) ** -power)


class WarmupCosine(LambdaLR):
    """Linear rise over `warmup_steps`, then half a cosine down to `floor` at `total_steps`.

    Args:
        max_time: days, hours, minutes and seconds of wall-clock time, `DD:HH:MM:SS`, after which the floor is reached
            too, if that is sooner: a run that is stopped by the clock then still ends annealed, on a slow machine as on
            a fast one. Such a run does not repeat exactly.

    Raises:
        ConfigError: no steps, or a time that cannot be read.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int,
        warmup_steps: int = 0,
        floor: float = 0.0,
        max_time: str | None = None,
    ) -> None:
        if total_steps < 1:
            raise ConfigError(
                f"scheduler.total_steps={total_steps} must be at least 1; it is trainer.max_steps unless set."
            )
        budget_s = _seconds(max_time)
        self.begin = time.monotonic()

        def factor(k: int) -> float:
            rise = min(1.0, (k + 1) / (warmup_steps + 1))
            progress = max(0, k - warmup_steps) / max(1, total_steps - warmup_steps)
            if budget_s is not None:
                progress = max(progress, (time.monotonic() - self.begin) / budget_s)
            return rise * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))

        super().__init__(optimizer, factor)

    def state_dict(self) -> dict[str, Any]:
        """The step and the time spent."""
        return {"last_epoch": self.last_epoch, "_step_count": self._step_count, "_last_lr": self._last_lr} | {
            "spent_s": time.monotonic() - self.begin
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the step and the time spent."""
        state = dict(state_dict)
        self.begin = time.monotonic() - state.pop("spent_s")
        self.__dict__.update(state)


def _seconds(max_time: str | None) -> float | None:
    if max_time is None:
        return None
    parts = max_time.split(":")
    if len(parts) != 4 or not all(part.isdigit() for part in parts):
        raise ConfigError(f"trainer.max_time={max_time!r} cannot be read; write days:hours:minutes:seconds.")
    days, hours, minutes, seconds = map(int, parts)
    return ((days * 24 + hours) * 60 + minutes) * 60.0 + seconds
