"""What the command lines share: where the configurations are, how runs are named, and how errors are answered."""

from __future__ import annotations

import functools
import hashlib
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

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
        except (MissingMandatoryValue, SagaError, InstantiationException) as error:
            message = f"error: {cause(error)}"
            if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
                logger.error(message)
                raise JobFailed(message) from None
            sys.exit(message)

    return answered


class JobFailed(CompactHydraException):
    """A job of a sweep failed with a message that has been shown."""


def run_name(overrides: str) -> str:
    """A folder's name for a run with `overrides`, `a=1,b=2`: no separators, and not too long for a disk."""
    name = re.sub(r"[^\w.,=+-]+", "_", overrides).strip("_") or "default"
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}-{hashlib.sha1(overrides.encode()).hexdigest()[:8]}"


OmegaConf.register_new_resolver("run_name", run_name, replace=True)


def cause(error: BaseException) -> str:
    """The message of the `SagaError` behind `error`, or what it says, in a line."""
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key or 'a value'} is required; add {error.full_key}=... to the command."
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, SagaError):
            return str(inner)
        inner = inner.__cause__
    return " ".join(str(error).split()) or type(error).__name__
