"""What other packages say that no user of saga-sr can mend or that is not so here: the one list of it."""

from __future__ import annotations

import logging
import re
import warnings
from typing import Any

logger = logging.getLogger(__name__)

# The start of a message (a regular expression) for each reason to leave it out.
FOREIGN = (
    # Lightning and PyTorch among themselves.
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated",
    # A run that goes on: `ContinuedCSVLogger` keeps what was logged, checkpoints stay, and `EpochSampler` goes on after
    # the batches that were seen.
    r"Experiment logs directory .* exists and is not empty",
    r"Checkpoint directory .* exists and is not empty",
    r"You're resuming from a checkpoint that ended before the epoch ended",
    # How long training waits for data is measured: system/waiting_for_data.
    r"The '\w+' does not have many workers",
)
# What PyTorch says, of the first alone, with the place in its sources.
MISSING_ON_MPS = re.compile(r"The operator '([^']+)' is not currently supported on the MPS backend")


def tame_foreign_warnings() -> None:
    """Let the warnings of `FOREIGN` pass in silence, and say in a line what Apple's GPU lacks; others are as ever."""
    for message in FOREIGN:
        warnings.filterwarnings("ignore", message)
    shown = warnings.showwarning

    def show(message: Warning | str, *where: Any, **more: Any) -> None:
        if lacking := MISSING_ON_MPS.match(str(message)):
            logger.warning("Apple's GPU lacks %s, which the CPU does instead; device=cpu may be faster.", lacking[1])
        else:
            shown(message, *where, **more)

    warnings.showwarning = show


def hear_no_steps_of_clients() -> None:
    """Leave out where clients of object storage have found credentials and servers, which they note as news."""
    for name in ("botocore", "aiobotocore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def hear_lightning_once() -> None:
    """Have Lightning's lines written by the program's own logging, from warnings on.

    On import Lightning adds a handler of its own, beside the root's: each line came twice. What it notes of devices and
    precision is said in a line of our own.
    """
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        log = logging.getLogger(name)
        log.handlers.clear()
        log.setLevel(logging.WARNING)
        log.propagate = True
