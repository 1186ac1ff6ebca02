"""Train a model: `python train.py experiment=demo`. `--help` lists the groups and their options."""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from saga_sr.cli.command_line import answer_errors, start
from saga_sr.core.config import CONF_DIR


@hydra.main(version_base="1.3", config_path=CONF_DIR, config_name="train")
@answer_errors
def main(config: DictConfig) -> float | None:
    from saga_sr.training.run import run as train

    return train(config).get(config.optimized_metric)


def run(words: list[str]) -> None:
    """Answer the command line."""
    start(main, words)
