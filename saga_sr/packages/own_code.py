"""Code of the user's own, which packages may name beside classes of `saga_sr`, since he says that it is his."""

from __future__ import annotations

import os
from typing import Any

# Modules, or classes in them, with commas between.
VARIABLE = "SAGA_SR_OWN_CODE"


def is_own(target: str) -> bool:
    """Whether `target` is, or lies in, something that the user called his own."""
    return any(f"{target}.".startswith(f"{name}.") for name in _names())


def call_own(config: Any) -> None:
    """Take every class that the user's own `config` names for his own, in this process and those that it starts."""
    os.environ[VARIABLE] = ",".join(sorted({*_names(), *_targets(config)}))


def _names() -> set[str]:
    return {name.strip() for name in os.environ.get(VARIABLE, "").split(",")} - {""}


def _targets(config: Any) -> set[str]:
    """What `_target_`s in it lie outside of `saga_sr`."""
    if isinstance(config, list):
        return set().union(*map(_targets, config))
    if not isinstance(config, dict):
        return set()
    found = {str(config["_target_"])} if "_target_" in config else set()
    return {name for name in found if not name.startswith("saga_sr.")}.union(*map(_targets, config.values()))
