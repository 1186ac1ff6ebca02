"""Encode recordings once, for training to read: `saga-sr prepare FOLDER OUTPUT codec=mdct`.

The same command again goes on with what is unfinished.
"""

from __future__ import annotations

from omegaconf import DictConfig

from saga_sr.cli.calling import Command, in_order
from saga_sr.cli.command import execute

COMMAND = Command("prepare", "prepare", "FOLDER OUTPUT", in_order("data.path", "output"))


def work(config: DictConfig) -> None:
    """Prepare what `config` names."""
    from saga_sr.preparation import run

    run.run(config)


def run(words: list[str]) -> None:
    """Answer the command line."""
    execute(COMMAND, words, work)
