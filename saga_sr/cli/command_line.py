"""What the command lines share: how words reach Hydra as they were typed, and how errors are answered."""

from __future__ import annotations

import functools
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, HydraException, InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationToMissingValueError,
    MissingMandatoryValue,
)

import saga_sr.inference.schema  # noqa: F401  # of what is composed
from saga_sr.core.config import cause
from saga_sr.core.errors import SagaError
from saga_sr.core.foreign_messages import leave_out_foreign_warnings
from saga_sr.core.imports import extras_named
from saga_sr.inference.settings import names

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


def answer_errors(task: Callable[[DictConfig], Result]) -> Callable[[DictConfig], Result]:
    """Answer an error that a user can mend with its one sentence and exit status 1; let others show their traceback.

    A job of a sweep is answered so too, but the sweep goes on; it ends with the first job's error.
    """

    @functools.wraps(task)
    def answered(config: DictConfig) -> Result:
        leave_out_foreign_warnings()  # here, since a job of a sweep may have a process of its own
        try:
            with extras_named():
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


def enhance_setting(argument: str) -> str:
    """`argument`, with a setting of `EnhanceSettings` called as in the configuration: `steps=8` is
    `enhance.sampler.steps=8`.
    """
    name, is_override, value = argument.partition("=")
    if name == "preset" and is_override:
        return f"enhance={value}"
    return f"enhance.{names()[name]}={value}" if is_override and name in names() else argument


def start(main: Callable[[], object], words: list[str], literals: Sequence[str] = (), settings: bool = False) -> None:
    """Run a Hydra `main`, and answer what is wrong with the command itself with one sentence too.

    Args:
        literals: names of settings whose values are words of the user's, not Hydra's.
        settings: whether settings of `EnhanceSettings` may be called by their short names.
    """
    arguments = [enhance_setting(argument) for argument in words] if settings else words
    sys.argv[1:] = literal(arguments, literals)
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
    if "hydra/launcher/" in said or "hydra/sweeper/" in said:
        said += " Those of joblib, submitit and Optuna need pip install 'saga-sr[sweep]'."
    return " ".join(said.split())


class JobFailed(CompactHydraException):
    """A job of a sweep failed with a message that has been shown."""
