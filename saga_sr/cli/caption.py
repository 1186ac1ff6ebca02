"""Caption recordings with Qwen2-Audio: `saga-sr caption data.path=DIR model=DIR`.

Writes `captions.jsonl` into the folder, where training finds it; a run that was stopped goes on.
"""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from saga_sr.cli.command_line import answer_errors, start
from saga_sr.core.config import CONF_DIR


@hydra.main(version_base="1.3", config_path=CONF_DIR, config_name="caption")
@answer_errors
def main(config: DictConfig) -> None:
    from saga_sr.captioning import run as work

    work.run(config)


def run(words: list[str]) -> None:
    """Answer the command line."""
    start(main, words)
