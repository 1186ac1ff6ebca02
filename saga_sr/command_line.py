"""What the command lines share: where the configurations are, and how errors are answered."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hydra.errors import InstantiationException
from omegaconf import DictConfig
from omegaconf.errors import MissingMandatoryValue

from saga_sr.errors import SagaError

Result = TypeVar("Result")

CONF_DIR = str(Path(__file__).resolve().parent.parent / "conf")


def answer_errors(task: Callable[[DictConfig], Result]) -> Callable[[DictConfig], Result]:
    """Answer an error that a user can mend with its one sentence and exit status 1; let others show their traceback."""

    @functools.wraps(task)
    def answered(config: DictConfig) -> Result:
        try:
            return task(config)
        except KeyboardInterrupt:
            sys.exit("Stopped.")
        except MissingMandatoryValue as error:
            sys.exit(f"error: {error.full_key or 'a value'} is required; add {error.full_key}=... to the command.")
        except (SagaError, InstantiationException) as error:
            sys.exit(f"error: {_cause(error)}")

    return answered


def _cause(error: BaseException) -> str:
    """The message of the `SagaError` behind `error`, or the first line of what Hydra says."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, SagaError):
            return str(inner)
        inner = inner.__cause__
    return str(error).strip().splitlines()[0]
