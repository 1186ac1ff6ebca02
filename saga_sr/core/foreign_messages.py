"""What other packages say that no user of saga-sr can mend or that is not so here: the one list of it."""

from __future__ import annotations

import logging
import warnings

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


def leave_out_foreign_warnings() -> None:
    """Let the warnings of `FOREIGN` pass in silence; all others are shown as ever."""
    for message in FOREIGN:
        warnings.filterwarnings("ignore", message)


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
