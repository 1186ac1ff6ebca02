"""Learning-rate schedules: factors on the base rate, by optimiser step from 0."""

from __future__ import annotations

import math
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

    Attributes:
        time_spent: the share of the time that training may take, told by `TimeBudget`. At 1 the floor is reached, too,
            if that is sooner: a run that the clock stops still ends annealed, on a slow machine as on a fast one.

    Raises:
        ConfigError: no steps.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup_steps: int = 0, floor: float = 0.0) -> None:
        if total_steps < 1:
            raise ConfigError(
                f"scheduler.total_steps={total_steps} must be at least 1; it is trainer.max_steps unless set."
            )
        self.time_spent = 0.0

        def factor(k: int) -> float:
            rise = min(1.0, (k + 1) / (warmup_steps + 1))
            by_steps = max(0, k - warmup_steps) / max(1, total_steps - warmup_steps)
            progress = min(1.0, max(by_steps, self.time_spent))
            return rise * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))

        super().__init__(optimizer, factor)

    def state_dict(self) -> dict[str, Any]:
        """The step, the rate and the time spent."""
        return {name: getattr(self, name) for name in ("last_epoch", "_step_count", "_last_lr", "time_spent")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from them."""
        self.__dict__.update(state_dict)
