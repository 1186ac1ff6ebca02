"""What verbs share: from the words of a command line to the configuration that the verb runs with."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, MissingMandatoryValue, OmegaConfBaseException

from saga_sr.cli.calling import Command, Placed
from saga_sr.cli.quoting import quoted, takes_text, text_value, uninterpolated
from saga_sr.cli.settings import Known, check_choice, check_names, check_value, read_known, with_values
from saga_sr.cli.words import Override, doubled, matching, sort_words
from saga_sr.core.config import CONF_DIR, cause, missing_module
from saga_sr.core.errors import SagaError, UsageError
from saga_sr.core.foreign_messages import tame_foreign_warnings
from saga_sr.core.imports import extras_named
from saga_sr.inference.settings import names

# Options of every verb, and whether a value follows.
OPTIONS = {"--help": False, "-h": False, "--cfg": True, "-c": True, "--resolve": False}


@dataclass(frozen=True)
class Request:
    """A command line that has been understood.

    Attributes:
        overrides: in Hydra's grammar.
        values: those of them that set what is in `known`.
        placed: settings that files stand for, as they were typed.
        known: the configuration with all other overrides.
    """

    options: dict[str, str]
    overrides: list[str]
    values: list[str]
    placed: Placed
    known: Known

    @property
    def wants_help(self) -> bool:
        """Whether help is asked for."""
        return "--help" in self.options or "-h" in self.options


def check_existing(sources: Collection[str]) -> None:
    """Refuse words that are neither settings nor recordings.

    Raises:
        UsageError: one of `sources` is no file, folder or list, nor a pattern that something matches.
    """
    from saga_sr.core.storage import is_address
    from saga_sr.inference.inputs import LIST, is_list, is_pattern

    for source in sources:
        if is_address(source.removeprefix(LIST)):
            continue  # it is asked for once, when it is looked for
        if is_list(source):
            if not os.path.isfile(source[len(LIST) :]):  # noqa: PTH113 - as text, of thousands
                raise UsageError(f"There is no list {source[len(LIST) :]}, which {source} stands for.")
        elif not os.path.lexists(source) and not is_pattern(source):
            raise UsageError(f"There is no file or folder {source}, and no setting of that name.")


def read(
    command: Command, words: Sequence[str], options: Mapping[str, bool] = OPTIONS, sweeps: bool = False,
    config: str | None = None, folder: str | None = None,
) -> Request:  # fmt: skip
    """Understand the `words` of a command line.

    Args:
        sweeps: whether several values of a setting are allowed.
        config: another configuration's name, and `folder` where configurations are besides.

    Raises:
        UsageError: what is wrong with a word, and the nearest that is right.
    """
    with sentences():
        known = read_known(config or command.config, folder=folder)
        short = names() if command.enhances else {}
        found = sort_words(words, [*known.names(), "hydra", *short, *(["preset"] if short else [])], options)
        overrides = [full(override, short) for override in found.overrides]
        doubled(overrides)
        # Options of groups and additions say which settings there are.
        decisive = [o for o in overrides if (o.sign or o.key in known.choices) and not o.key.startswith("hydra")]
        for override in decisive:
            if not override.sign:
                check_choice(known, override)
        if decisive:
            one_each = [first_option(o) for o in decisive if not o.sign or not sweeps]
            known = read_known(config or command.config, [in_hydras_grammar(o, known) for o in one_each], folder)
        others = [o for o in overrides if o not in decisive and not o.key.startswith("hydra")]
        check_names(known, [override.key for override in others])
        for override in others:
            check_value(known, override, sweeps)
        keys = {override.key for override in overrides}
        placed = {} if not found.files else command.place(files_of(found.files, command.patterns), keys)
    values = [in_hydras_grammar(o, known) for o in others]
    return Request(found.options, [in_hydras_grammar(o, known) for o in overrides], values, placed, known)


def files_of(words: Sequence[str], patterns: bool) -> list[str]:
    """The files that `words` stand for, unless `patterns` are kept as they are."""
    return list(words) if patterns else [file for word in words for file in matching(word)]


def full(override: Override, short: Mapping[str, str]) -> Override:
    """`override` by its full name: `steps=8` is `enhance.sampler.steps=8` where `short` says so."""
    if not short:
        return override
    if override.key == "preset":
        return Override(override.sign, "enhance", override.value, "preset")
    first, dot, rest = override.key.partition(".")
    key = short.get(override.key) or (first + dot + rest if first in short else None)
    # What models may be asked for is not known here, so each wish is new.
    sign = "+" if key and key.startswith("wishes.") else override.sign
    return Override(sign, f"enhance.{key}", override.value, override.key) if key else override


def first_option(override: Override) -> Override:
    """`override` with the first of the options that it lists."""
    value = override.value
    if override.sign or value is None or value[:1] in ("[", "'", '"', "{"):
        return override
    return Override(override.sign, override.key, value.split(",")[0])


def in_hydras_grammar(override: Override, known: Known) -> str:
    """`override` with a path or words of the user's quoted."""
    if override.value is None:
        return str(override)
    if override.key in known.choices:
        return str(override)
    default = OmegaConf.select(known.config, override.key, throw_on_missing=False, throw_on_resolution_failure=False)
    if not takes_text(override.key, default) and override.key not in ("hydra.run.dir", "hydra.sweep.dir"):
        return str(override)
    return str(Override(override.sign, override.key, text_value(override.key, override.value)))


def placed_overrides(placed: Placed) -> list[str]:
    """The settings that files stand for, in Hydra's grammar."""
    return [
        f"{key}=[{','.join(quoted(uninterpolated(one)) for one in value)}]"
        if isinstance(value, list)
        else f"{key}={quoted(uninterpolated(value))}"
        for key, value in placed.items()
    ]


def configured(command: Command, request: Request, overrides: Sequence[str] | None = None) -> DictConfig:
    """The configuration that `request` asks for.

    Raises:
        UsageError: it cannot be composed, or lacks what it needs.
    """
    with sentences():
        if overrides is None:
            # Composing again would take a tenth of a second.
            config = with_values(request.known.config, request.values)
        else:
            config = read_known(command.config, overrides).config
        for key, value in request.placed.items():
            several = isinstance(value, list)
            OmegaConf.update(config, key, [*map(uninterpolated, value)] if several else uninterpolated(str(value)))
    return config


def execute(command: Command, words: Sequence[str], work: Callable[[DictConfig], object]) -> None:
    """Do the `work` of a verb with the configuration that `words` give; or show its help, or that configuration.

    Raises:
        SagaError: what is wrong, in a sentence.
    """
    request = read(command, words)
    if request.wants_help:
        show_help(command, request)
        return
    config = configured(command, request)
    if "--cfg" in request.options or "-c" in request.options:
        show(config, "--resolve" in request.options)
        return
    tame_foreign_warnings()
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    with sentences(config), extras_named():
        missing = sorted(OmegaConf.missing_keys(config)) if command.complete else []
        if missing:
            raise UsageError(f"{missing[0]} is required; add {missing[0]}=... to the command.")
        work(config)


def show(config: DictConfig, resolve: bool) -> None:
    """Print `config`, its references replaced by what they lead to if `resolve`."""
    with sentences():
        print(OmegaConf.to_yaml(config, resolve=resolve), end="")


def show_help(command: Command, request: Request) -> None:
    """Print what the verb takes."""
    from saga_sr.cli.help import help_of

    print(help_of(command, request.known))


@contextmanager
def sentences(config: DictConfig | None = None) -> Iterator[None]:
    """Say in one sentence what Hydra and OmegaConf find wrong within.

    Args:
        config: what is worked with, where there is one already.

    Raises:
        SagaError: a part cannot be built; as a UsageError what the command line has to mend.
    """
    try:
        yield
    except (MissingMandatoryValue, InterpolationToMissingValueError) as error:
        raise UsageError(cause(error)) from error
    except InstantiationException as error:
        raise SagaError(cause(error, config)) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(missing_module(error) or in_a_sentence(error)) from error


def in_a_sentence(error: Exception) -> str:
    """What Hydra says, without where it looked."""
    if not os.path.isdir(CONF_DIR):  # noqa: PTH112
        return f"The configurations in {CONF_DIR} are gone; pip install --force-reinstall --no-deps saga-sr."
    said = str(error).partition("Config search path:")[0] + (f" ({error.__cause__})" if error.__cause__ else "")
    if "hydra/launcher/" in said or "hydra/sweeper/" in said:
        said += " Those of joblib, submitit and Optuna need pip install 'saga-sr[sweep]'."
    return " ".join(said.split())
