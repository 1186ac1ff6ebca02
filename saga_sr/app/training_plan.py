"""What a training is to do, as a user of the app says it, checked before any process is started."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from saga_sr.cli.command import placed_overrides, read, sentences
from saga_sr.cli.quoting import PATHS
from saga_sr.cli.settings import Known, names_in, read_known
from saga_sr.cli.train import COMMAND
from saga_sr.core.config import CONF_DIR, check_teacher
from saga_sr.core.errors import UsageError

# Of a setting that is there, without Hydra's signs for adding and removing.
CHANGE = re.compile(r"(?P<key>[A-Za-z]\w*(?:\.[A-Za-z]\w*)*)=(?P<value>.*)", re.DOTALL)
# First parts of names that are the app's own: where a run is, and how it goes on.
OWN = ("hydra", "paths", "resume", "sweep", "experiment", "hparams_search")
# Last parts of names that say where something is written.
WRITTEN = ("folder", "dirpath", "filename", "default_root_dir", "save_dir", "output_dir")
# Loggers that the page can read, and that tell nobody else.
LOGGERS = ("csv", "csv_tensorboard")
# What has to be there before a training can begin, part by part.
BUILT = ("model", "loss", "data", "degradation", "optimizer", "scheduler", "trainer", "callbacks", "validation")


@dataclass(frozen=True)
class Recipe:
    """An option of `experiment`, and the comment that it begins with."""

    name: str
    about: str


@dataclass(frozen=True)
class Plan:
    """A training that can be started.

    Attributes:
        words: what follows `saga-sr train`.
        overrides: the same in Hydra's grammar.
        config: what it is trained with.
    """

    words: list[str]
    overrides: list[str]
    config: DictConfig


@cache
def recipes() -> list[Recipe]:
    """All recipes; those that need no files first."""
    found = []
    for path in sorted((Path(CONF_DIR) / "experiment").glob("*.yaml")):
        comments = [line[1:].strip() for line in _head(path.read_text()) if not line.startswith("# @")]
        found.append(Recipe(path.stem, " ".join(comments)))
    return sorted(found, key=lambda recipe: (recipe.name != "demo", recipe.name))


def plan(
    recipe: str, source: str, changes: Sequence[str], folder: Path, reachable: Callable[[str], object]
) -> Plan:  # fmt: skip
    """The training by `recipe` with `changes` in `folder`.

    Args:
        recipe: empty for none.
        source: a folder or manifest to train on, absolute; empty for what the recipe has.
        changes: `setting=value`, each.
        reachable: raises a `UsageError` unless a path may be read.

    Raises:
        UsageError: what is wrong with a change, and the nearest that is right; or what may not be done from a page.
        SagaError: what the configuration lacks.
    """
    if recipe not in {"", *(known.name for known in recipes())}:
        raise UsageError(f"There is no recipe {recipe!r}; choose one of {', '.join(r.name for r in recipes())}.")
    for change in changes:
        _check_form(change)
    if source:
        reachable(source)
    chosen = [f"experiment={recipe}"] if recipe else []
    words = [*([source] if source else []), *chosen, *changes, f"hydra.run.dir={folder}"]
    request = read(COMMAND, words)
    for override in OverridesParser.create().parse_overrides(request.overrides):
        if override.key_or_group not in ("experiment", "hydra.run.dir"):
            _check(override.key_or_group, override.value(), request.known, reachable)
    overrides = [*request.overrides, *placed_overrides(request.placed)]
    with sentences():
        config = read_known(COMMAND.config, overrides).config
        OmegaConf.update(config, "paths.output_dir", str(folder))
        for part in BUILT:
            OmegaConf.to_container(config[part], resolve=True, throw_on_missing=True)
        check_teacher(config)
    return Plan(words, overrides, config)


@cache
def changeable(recipe: str) -> dict[str, str]:
    """The settings and groups that can be changed, with what they are by `recipe`, as text in Hydra's grammar.

    Raises:
        HydraException: there is no such recipe.
    """
    known = read_known("train", [f"experiment={recipe}"])
    found = {group: str(option or "null") for group, option in known.choices.items() if CHANGE.fullmatch(f"{group}=")}
    for name in names_in(known.config):
        value = OmegaConf.select(known.config, name, throw_on_missing=False, throw_on_resolution_failure=False)
        if name not in found and not isinstance(value, DictConfig):
            found[name] = _as_text(value)
    return {name: value for name, value in found.items() if _may_change(name)}


def options(recipe: str, name: str) -> list[str]:
    """The options of the group `name`; none where it is no group.

    Raises:
        HydraException: there is no such recipe.
    """
    known = read_known("train", [f"experiment={recipe}"])
    if name not in known.choices or not _may_change(name):
        return []
    return [option for option in known.options(name) if name != "logger" or option in LOGGERS]


def model_rate(recipe: str) -> int:
    """Hz of what the model of `recipe` restores, as far as its configuration says it.

    Raises:
        HydraException: there is no such recipe.
    """
    config = read_known("train", [f"experiment={recipe}"]).config
    return int(OmegaConf.select(config, "sample_rate", throw_on_missing=False, throw_on_resolution_failure=False) or 0)


def _check_form(change: str) -> None:
    parts = CHANGE.fullmatch(change)
    if parts is None:
        raise UsageError(f"{change!r} is no change of a setting; write one like optimizer.lr=1e-4.")
    if not _may_change(parts["key"]):
        raise UsageError(f"{parts['key']} is not set from this page; use saga-sr train on the command line.")
    if "${" in change:
        raise UsageError(f"{change!r} refers to another setting, which pages do not take; write the value itself.")


def _may_change(name: str) -> bool:
    parts = name.split(".")
    return parts[0] not in OWN and parts[-1] not in WRITTEN and not any(part.startswith("_") for part in parts)


def _check(name: str, value: Any, known: Known, reachable: Callable[[str], object]) -> None:
    """See whether a page may set `name` to `value`: no class to be built, and no file but those that may be read.

    Raises:
        UsageError: it may not.
    """
    if name in known.choices:
        chosen = value if isinstance(value, list) else [value]
        there = [*(known.options(name) if name != "logger" else LOGGERS), None]
        wrong = next((one for one in chosen if one not in there), None)
        if wrong is not None:
            among = ", ".join(str(one) for one in there if one)
            raise UsageError(f"{name}={wrong} cannot be chosen on this page; choose one of {among}.")
        return
    for text in _texts(value):
        if name.rpartition(".")[2] in PATHS or re.search(r"[/\\~]|\.\.", text):
            reachable(text)


def _texts(value: Any) -> Iterator[str]:
    """All text in a value.

    Raises:
        UsageError: it tells what class is to be built.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if str(key).startswith("_"):
                raise UsageError(f"{key} names what is to be run, which no page decides; choose an option of a group.")
            yield str(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _head(text: str) -> list[str]:
    """The lines of comment that `text` begins with."""
    lines = text.splitlines()
    end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return lines[:end]


def _as_text(value: Any) -> str:
    if OmegaConf.is_list(value):
        return f"[{', '.join(map(_as_text, value))}]"
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value)
