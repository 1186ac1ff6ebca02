"""Train a model: `python train.py experiment=demo`. `--help` lists the groups and their options."""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from saga_sr.command_line import CONF_DIR, answer_errors, start


@hydra.main(version_base="1.3", config_path=CONF_DIR, config_name="train")
@answer_errors
def main(config: DictConfig) -> float | None:
    from saga_sr.training.run import run

    return run(config).get(config.optimized_metric)


if __name__ == "__main__":
    start(main)
