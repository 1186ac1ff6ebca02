"""Write a model package of a run or checkpoint, and publish it: `saga-sr export RUN OUTPUT`."""

from __future__ import annotations

import logging
from pathlib import Path

from omegaconf import DictConfig

from saga_sr.cli.command import Command, execute, in_order

logger = logging.getLogger(__name__)


COMMAND = Command("export", "export", "RUN_OR_CHECKPOINT OUTPUT", in_order("source", "output"))


def work(config: DictConfig) -> None:
    """Write, and publish, the package that `config` asks for."""
    from saga_sr.packages import hub
    from saga_sr.packages.export import export_package

    if config.push is not None:
        hub.check_can_publish(config.push)
    folder = export_package(config.source, Path(config.output), config.weights, config.dtype, config.license)
    logger.info("The model package is in %s", folder)
    if config.push is not None:
        logger.info("Published as %s", hub.publish(folder, config.push, config.private))


def run(words: list[str]) -> None:
    """Answer the command line."""
    execute(COMMAND, words, work)
