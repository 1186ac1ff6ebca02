"""Write a model package of a run or checkpoint, and publish it: `saga-sr export source=RUN output=DIR`."""

from __future__ import annotations

import logging
from pathlib import Path

import hydra
from omegaconf import DictConfig

from saga_sr.cli.command_line import answer_errors, start
from saga_sr.core.config import CONF_DIR

logger = logging.getLogger(__name__)


@hydra.main(version_base="1.3", config_path=CONF_DIR, config_name="export")
@answer_errors
def main(config: DictConfig) -> None:
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
    start(main, words, literals=("source", "output", "push"))
