"""Caption recordings with Qwen2-Audio: `saga-sr caption FOLDER model=DIR`.

Writes `captions.jsonl` into the folder, where training finds it; a run that was stopped goes on.
"""

from __future__ import annotations

from omegaconf import DictConfig

from saga_sr.cli.calling import Command, in_order
from saga_sr.cli.command import execute

COMMAND = Command("caption", "caption", "FOLDER model=FOLDER", in_order("data.path"))


def work(config: DictConfig) -> None:
    """Caption what `config` names."""
    from saga_sr.captioning import run

    run.run(config)


def run(words: list[str]) -> None:
    """Answer the command line."""
    execute(COMMAND, words, work)
