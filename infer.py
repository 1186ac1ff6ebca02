"""Enhance recordings: `python infer.py model=DIR input=FILE_OR_DIR output=FILE_OR_DIR`."""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from saga_sr.command_line import CONF_DIR, answer_errors, start


@hydra.main(version_base="1.3", config_path=CONF_DIR, config_name="infer")
@answer_errors
def main(config: DictConfig) -> None:
    from saga_sr.inference.run import run

    run(config)


if __name__ == "__main__":
    start(main, literals=("model", "input", "output", "prompt"))
