"""Encode recordings once, for training to read: `saga-sr prepare data.path=DIR output=DIR codec=mdct`.

The same command again goes on with what is unfinished, on any number of machines that see the output.
"""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from saga_sr.cli.command_line import answer_errors, start
from saga_sr.core.config import CONF_DIR


@hydra.main(version_base="1.3", config_path=CONF_DIR, config_name="prepare")
@answer_errors
def main(config: DictConfig) -> None:
    from saga_sr.preparation import run as work

    work.run(config)


def run(words: list[str]) -> None:
    """Answer the command line."""
    start(main, words)
