"""Write a model package of a run or checkpoint, and publish it, or write ONNX graphs: `saga-sr export RUN OUTPUT`."""

from __future__ import annotations

import logging
from pathlib import Path

from omegaconf import DictConfig

from saga_sr.cli.calling import Command, in_order
from saga_sr.cli.command import execute
from saga_sr.core.errors import ConfigError

logger = logging.getLogger(__name__)


COMMAND = Command("export", "export", "RUN_OR_CHECKPOINT OUTPUT", in_order("source", "output"))


def work(config: DictConfig) -> None:
    """Write, and publish, the package that `config` asks for, or its ONNX graphs.

    Raises:
        ConfigError: an unknown format, or settings of another.
    """
    if config.format == "onnx":
        write_onnx(config)
        return
    if config.format != "package":
        raise ConfigError(f"format={config.format} is not known; choose package or onnx.")
    if config.steps is not None:
        raise ConfigError(f"steps={config.steps} is for format=onnx; leave it out.")
    from saga_sr.packages import hub
    from saga_sr.packages.export import export_package

    if config.push is not None:
        hub.check_can_publish(config.push)
    folder = export_package(config.source, Path(config.output), config.weights, config.dtype, config.license)
    logger.info("The model package is in %s", folder)
    if config.push is not None:
        logger.info("Published as %s", hub.publish(folder, config.push, config.private))


def write_onnx(config: DictConfig) -> None:
    """Write the model that `config` names as ONNX graphs."""
    for setting, ours in (("dtype", "float32"), ("push", None)):
        if config[setting] != ours:
            raise ConfigError(f"{setting}={config[setting]} is for packages; leave it out with format=onnx.")
    from saga_sr.packages.onnx_export import export_onnx

    for note in export_onnx(config.source, Path(config.output), config.weights, config.steps):
        logger.warning("%s", note)
    logger.info("The ONNX graphs are in %s", config.output)


def run(words: list[str]) -> None:
    """Answer the command line."""
    execute(COMMAND, words, work)
