"""What the command lines share: where the configurations are, how runs are named, and how errors are answered."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, HydraException, InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationToMissingValueError,
    MissingMandatoryValue,
)

from saga_sr.errors import SagaError

Result = TypeVar("Result")

logger = logging.getLogger(__name__)
LONGEST_NAME = 120

CONF_DIR = str(Path(__file__).resolve().parent.parent / "conf")


def answer_errors(task: Callable[[DictConfig], Result]) -> Callable[[DictConfig], Result]:
    """Answer an error that a user can mend with its one sentence and exit status 1; let others show their traceback.

    A job of a sweep is answered so too, but the sweep goes on; it ends with the first job's error.
    """

    @functools.wraps(task)
    def answered(config: DictConfig) -> Result:
        try:
            return task(config)
        except KeyboardInterrupt:
            sys.exit("Stopped.")
        except (MissingMandatoryValue, InterpolationToMissingValueError, SagaError, InstantiationException) as error:
            message = f"error: {cause(error)}"
            if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
                logger.error(message)
                raise JobFailed(message) from None
            sys.exit(message)

    return answered


def literal(arguments: list[str], names: Sequence[str]) -> list[str]:
    """`arguments` with the values of `names` quoted: Hydra then takes commas and brackets in them as they are."""
    quoted = []
    for argument in arguments:
        name, is_override, value = argument.partition("=")
        if name in names and is_override and value[:1] not in ("'", '"'):
            # Backslashes count double before a quotation mark, the closing one included.
            escaped = re.sub(r"(\\*)'", r"\1\1\\'", value)
            escaped = re.sub(r"(\\+)$", r"\1\1", escaped)
            argument = f"{name}='{escaped}'"
        quoted.append(argument)
    return quoted


def start(main: Callable[[], object], literals: Sequence[str] = ()) -> None:
    """Run a Hydra `main`, and answer what is wrong with the command itself with one sentence too.

    Args:
        literals: names of settings whose values are words of the user's, not Hydra's.
    """
    sys.argv[1:] = literal(sys.argv[1:], literals)
    # Hydra hands its errors on instead of printing them.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    try:
        main()
    except JobFailed as error:
        sys.exit(str(error))
    except HydraException as error:
        sys.exit(f"error: {_command_error(error)}")


def _command_error(error: HydraException) -> str:
    cause = error.__cause__
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and isinstance(cause.parent_node, DictConfig):
        group, _, name = str(cause.full_key).rpartition(".")
        valid = ", ".join(sorted(map(str, cause.parent_node)))
        there = group or "the configuration"
        return f"There is no {name} in {there}; choose one of {valid}, or add it with +{cause.full_key}=..."
    # Hydra names the valid options, and then where it looked.
    said = str(error).partition("Config search path:")[0] + (f" ({cause})" if cause else "")
    return " ".join(said.split())


class JobFailed(CompactHydraException):
    """A job of a sweep failed with a message that has been shown."""


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
        if isinstance(inner, SagaError):
            return str(inner)
        inner = inner.__cause__
    return " ".join(str(error).split()) or type(error).__name__
