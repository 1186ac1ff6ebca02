"""Enhance recordings: `python infer.py model=DIR input=FILE_OR_DIR output=FILE_OR_DIR`."""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from saga_sr.cli.command_line import answer_errors, start
from saga_sr.core.config import CONF_DIR
from saga_sr.core.imports import importing


@hydra.main(version_base="1.3", config_path=CONF_DIR, config_name="infer")
@answer_errors
def main(config: DictConfig) -> None:
    with importing():
        from saga_sr.inference.run import run as enhance

    enhance(config)


def run(words: list[str]) -> None:
    """Answer the command line."""
    start(main, words, literals=("model", "input", "output", "enhance.prompt"), settings=True)
