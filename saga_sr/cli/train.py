"""Train a model: `saga-sr train experiment=demo`, or on recordings: `saga-sr train /music`."""

from __future__ import annotations

import functools
import itertools
import logging
import os
import sys
from collections.abc import Callable, Collection
from typing import TypeVar

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from saga_sr.cli.calling import Command, Placed
from saga_sr.cli.command import OPTIONS, placed_overrides, read, sentences
from saga_sr.cli.main import answer
from saga_sr.core.config import CONF_DIR
from saga_sr.core.errors import SagaError
from saga_sr.core.foreign_messages import tame_foreign_warnings
from saga_sr.core.imports import extras_named

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

# Hydra's options, and whether a value follows.
HYDRA_OPTIONS = {
    **{name: True for name in ("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp")},
    **{name: True for name in ("--package", "-p", "--experimental-rerun")},
    **{name: False for name in ("--multirun", "-m", "--run", "-r", "--hydra-help", "--info", "-i", "--version")},
    **{name: False for name in ("--shell-completion", "-sc")},
}
# Settings of groups that most users change.
USUAL = {
    "data.batch_size": "crops in a step, on each device",
    "data.num_samples": "samples of a crop, at sample_rate",
    "data.num_workers": "processes that read",
    "optimizer.lr": "learning rate",
    "trainer.max_steps": "steps of the optimizer",
    "trainer.max_time": "days:hours:minutes:seconds after which training ends",
    "trainer.devices": "GPUs, or processes on CPUs, on this machine",
    "trainer.precision": "auto, 32-true, bf16-mixed or 16-mixed",
    "trainer.val_check_interval": "steps between validations",
}


def place(files: list[str], given: Collection[str]) -> Placed:
    """Files and folders are recordings to train on, unless `data` says what they are."""
    kind: Placed = {} if "data" in given else {"data": "folder"}
    return {**kind, "data.path": files[0] if len(files) == 1 else files}


COMMAND = Command("train", "train", "[FOLDER ...]", place)


def answer_errors(task: Callable[[DictConfig], Result]) -> Callable[[DictConfig], Result]:
    """Answer an error that a user can mend with its one sentence and an exit status; let others show their traceback.

    A job of a sweep is answered at once, and the sweep goes on; it ends with the first job's error.
    """

    @functools.wraps(task)
    def answered(config: DictConfig) -> Result:
        tame_foreign_warnings()  # here, since a job of a sweep may have a process of its own
        try:
            with sentences(config), extras_named():
                return task(config)
        except SagaError as error:
            if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
                logger.error("error: %s", error)
                raise JobFailed(str(error)) from None
            sys.exit(answer(error))  # before Hydra names the overrides

    return answered


class JobFailed(CompactHydraException):
    """A job of a sweep failed with a message that has been shown."""


@hydra.main(version_base="1.3", config_path=CONF_DIR, config_name="train")
@answer_errors
def main(config: DictConfig) -> float | None:
    from saga_sr.training.run import run as train

    return train(config).get(config.optimized_metric)


def run(words: list[str]) -> None:
    """Answer the command line.

    Raises:
        SagaError: what is wrong, in a sentence.
    """
    sweeps = "-m" in words or "--multirun" in words
    folder, name = value_of(words, "--config-dir", "-cd"), value_of(words, "--config-name", "-cn")
    request = read(COMMAND, words, {**OPTIONS, **HYDRA_OPTIONS}, sweeps, name, folder)
    if request.wants_help:
        from saga_sr.cli.help import help_of

        print(help_of(COMMAND, request.known, USUAL))
        print("hydra.run.dir=FOLDER chooses the run's folder.")
        print("-m trains with each of several values: seed=1,2. --hydra-help lists Hydra's own options.")
        return
    options = [word for option, value in request.options.items() for word in (option, value) if word]
    sys.argv = ["saga-sr train", *options, *request.overrides, *placed_overrides(request.placed)]
    # Hydra hands its errors on instead of printing them.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    try:
        with sentences():
            main()
    except SagaError as error:
        raise (SagaError(str(error.__cause__)) if isinstance(error.__cause__, JobFailed) else error) from None


def value_of(words: list[str], *names: str) -> str | None:
    """What follows an option in `words`."""
    for word, following in itertools.zip_longest(words, words[1:], fillvalue=""):
        option, is_joined, value = word.partition("=")
        if option in names:
            return value if is_joined else following
    return None
