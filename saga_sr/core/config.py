"""What all configurations share: where they are, the resolvers that they use, and what is wrong with one in words."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, MissingMandatoryValue

from saga_sr.core.errors import SagaError
from saga_sr.core.imports import missing_extra

PACKAGE = Path(__file__).resolve().parents[1]
# A wheel carries the configurations inside the package; in a checkout they are beside it.
CONF_DIR = str(PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf")
LONGEST_NAME = 120


def run_name(overrides: str, leave_out: str = "") -> str:
    """A folder's name for a run with `overrides`, `a=1,b=2`: no separators, and not too long for a disk.

    Args:
        leave_out: an override that the name goes without.
    """
    overrides = re.sub(rf"(^|,){leave_out}=[^,]*", "", overrides).strip(",") if leave_out else overrides
    name = re.sub(r"[^\w.,=+-]+", "_", overrides).strip("_") or "default"
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}-{hashlib.sha1(overrides.encode()).hexdigest()[:8]}"


OmegaConf.register_new_resolver("run_name", run_name, replace=True)
OmegaConf.register_new_resolver("times", lambda a, b: a * b, replace=True)


def cause(error: BaseException) -> str:
    """The message of the `SagaError` behind `error`, or what it says, in a line."""
    if isinstance(error, InterpolationToMissingValueError):
        name = str(error).splitlines()[0].rpartition(" ")[2]
        return f"{name} is required for {error.full_key}; add {name}=... to the command."
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key or 'a value'} is required; add {error.full_key}=... to the command."
    inner: BaseException | None = error
    while inner is not None:
        known = inner if isinstance(inner, SagaError) else missing_extra(inner)
        if known is not None:
            return str(known)
        inner = inner.__cause__
    return " ".join(str(error).split()) or type(error).__name__
