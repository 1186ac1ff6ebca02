"""What models cost, side by side: `saga-sr inspect backbone=jat_v2,jat_v3 codec=dac`.

Or what a file or folder of weights holds: `saga-sr inspect file=PATH`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from saga_sr.cli.calling import Command, in_order
from saga_sr.cli.command import OPTIONS, configured, read, sentences, show, show_help
from saga_sr.core.imports import extras_named

COMMAND = Command("inspect", "inspect", "[FILE_OR_FOLDER]", in_order("file"), complete=False)


def run(words: list[str]) -> None:
    """Answer the command line.

    Values with commas are columns of one table: the command is split here, and each part composed.
    """
    request = read(COMMAND, words, OPTIONS, sweeps=True)
    if request.wants_help:
        show_help(COMMAND, request)
        return
    columns = split(request.overrides)
    configs = [configured(COMMAND, request, overrides) for overrides in columns.values()]
    if "--cfg" in request.options or "-c" in request.options:
        show(configs[0], "--resolve" in request.options)
        return
    with sentences(configs[0]), extras_named():
        if configs[0].file is not None:
            print(listing(located(str(configs[0].file))))
        else:
            titles = list(columns) if len(columns) > 1 else [str(request.known.choices["backbone"])]
            print(comparison(dict(zip(titles, configs, strict=True))))


def split(overrides: Sequence[str]) -> dict[str, list[str]]:
    """Overrides for each combination of the values that `overrides` list with commas, by what differs in them."""
    parser = OverridesParser.create()
    choices: list[list[tuple[str, str]]] = []
    for word in overrides:
        override = parser.parse_override(word)
        if override.is_discrete_sweep():
            key = override.get_key_element()
            # Of a group the option says enough; a number needs its name.
            title = f"{key.rpartition('.')[2]}=" if "." in key else ""
            choices.append([(f"{key}={value}", f"{title}{value}") for value in override.sweep_string_iterator()])
        else:
            choices.append([(word, "")])
    return {
        ", ".join(title for _, title in chosen if title): [word for word, _ in chosen]
        for chosen in itertools.product(*choices)
    }


def comparison(configs: Mapping[str, DictConfig]) -> str:
    """A table of what the models of `configs` cost, by their names.

    Raises:
        SagaError: a model that cannot be built.
    """
    from saga_sr.inspection.cost import cost
    from saga_sr.inspection.table import cost_table

    return cost_table({name: cost(config) for name, config in configs.items()})


def located(file: str) -> Path:
    """Where `file` is: a path, or that of the model of this name that came with the installation."""
    from saga_sr.packages.bundled import bundled_model

    path = Path(file)
    return path if path.exists() else bundled_model(file) or path


def listing(path: Path) -> str:
    """What the file or folder at `path` holds.

    Raises:
        SagaError: nothing that saga-sr reads.
    """
    from saga_sr.inspection.table import contents_table
    from saga_sr.inspection.weights import open_weights

    return contents_table(open_weights(path), str(path))
