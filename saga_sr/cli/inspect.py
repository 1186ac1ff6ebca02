"""What models cost, side by side: `saga-sr inspect backbone=jat_v2,jat_v3 codec=dac`.

Or what a file or folder of weights holds: `saga-sr inspect file=PATH`.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig

from saga_sr.cli.command_line import answer_errors, start
from saga_sr.core.config import CONF_DIR


def main() -> None:
    """Answer the command line.

    Values with commas are columns of one table, so they are no sweep of Hydra's (`-m`), whose jobs know nothing of each
    other: the command is split here, and each part composed. The first is Hydra's own, with `--help` and all.
    """
    names, (first, *others) = zip(*split(sys.argv[1:]).items(), strict=True)
    with initialize_config_dir(CONF_DIR, version_base="1.3"):
        composed = [compose("inspect", [word for word in arguments if is_setting(word)]) for arguments in others]

    @hydra.main(version_base="1.3", config_path=CONF_DIR, config_name="inspect")
    @answer_errors
    def answer(config: DictConfig) -> None:
        if config.file is not None:
            say(listing(Path(config.file)))
        else:
            titles = names if others else [HydraConfig.get().runtime.choices["backbone"]]
            say(comparison(dict(zip(titles, [config, *composed], strict=True))))

    sys.argv[1:] = first
    answer()


def split(arguments: list[str]) -> dict[str, list[str]]:
    """A command for each combination of the values that `arguments` list with commas, by what differs in it."""
    parser = OverridesParser.create()
    choices: list[list[tuple[str, str]]] = []
    for argument in arguments:
        try:
            override = parser.parse_override(argument) if is_setting(argument) else None
        except HydraException:
            override = None  # what it cannot read, Hydra answers in its own words
        if override is not None and override.is_discrete_sweep():
            key = override.get_key_element()
            # Of a group the option says enough; a number needs its name.
            title = f"{key.rpartition('.')[2]}=" if "." in key else ""
            choices.append([(f"{key}={value}", f"{title}{value}") for value in override.sweep_string_iterator()])
        else:
            choices.append([(argument, "")])
    return {
        ", ".join(title for _, title in chosen if title): [argument for argument, _ in chosen]
        for chosen in itertools.product(*choices)
    }


def is_setting(argument: str) -> bool:
    """Whether `argument` gives a setting, and not an option of Hydra's (`--cfg job`)."""
    return not argument.startswith("-") and "=" in argument


def say(text: str) -> None:
    """Print `text`, to whoever reads on."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # `| head` has seen enough; what is left over must not be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def comparison(configs: Mapping[str, DictConfig]) -> str:
    """A table of what the models of `configs` cost, by their names.

    Raises:
        SagaError: a model that cannot be built.
    """
    from saga_sr.inspection.cost import cost
    from saga_sr.inspection.table import cost_table

    return cost_table({name: cost(config) for name, config in configs.items()})


def listing(path: Path) -> str:
    """What the file or folder at `path` holds.

    Raises:
        SagaError: nothing that saga-sr reads.
    """
    from saga_sr.inspection.table import contents_table
    from saga_sr.inspection.weights import open_weights

    return contents_table(open_weights(path), str(path))


def run(words: list[str]) -> None:
    """Answer the command line."""
    start(main, words, literals=("file",))
