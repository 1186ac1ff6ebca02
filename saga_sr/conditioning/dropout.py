"""Dropout of conditions, which classifier-free guidance needs."""

from __future__ import annotations

from saga_sr.core.errors import ConfigError


def probability(condition: str, dropout: float) -> float:
    """`dropout` of the named condition, if it is one.

    Raises:
        ConfigError: it lies outside 0 to 1.
    """
    if not 0 <= dropout <= 1:
        raise ConfigError(f"conditioning.{condition}.dropout={dropout} is not a probability; give a value from 0 to 1.")
    return dropout
