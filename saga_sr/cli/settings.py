"""What a verb can be told: its settings with their defaults, its groups with their options; and what is wrong with a
value, before anything runs.
"""

from __future__ import annotations

import copy
import threading
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

import saga_sr.inference.schema  # noqa: F401 - registers the group `enhance`
from saga_sr.cli.quoting import takes_text
from saga_sr.cli.words import Override, nearest
from saga_sr.core.config import CONF_DIR
from saga_sr.core.errors import UsageError
from saga_sr.inference.settings import EnhanceSettings

KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number"}
UNITS = {"_hz": "Hz", "_s": "seconds", "seconds": "seconds", "_mb": "megabytes"}
# Hydra composes one configuration at a time in a process, whatever its threads are.
COMPOSING = threading.Lock()
# Lightning's own settings take words and lists in the place of numbers (devices=auto), and null.
LENIENT = "trainer."


@dataclass(frozen=True)
class Known:
    """A composed configuration with the groups that it is chosen from.

    Attributes:
        choices: the option of each group, None where none is chosen.
        folders: where options are looked for.
    """

    config: DictConfig
    choices: dict[str, str | None]
    folders: tuple[Path, ...]

    def options(self, group: str) -> list[str]:
        """The options of `group`."""
        return sorted({path.stem for folder in self.folders for path in (folder / group).glob("*.yaml")})

    def names(self) -> list[str]:
        """The full names of all settings and groups."""
        return [*names_in(self.config), *(group for group in self.choices if not group.startswith("hydra"))]


def read_known(config_name: str, overrides: Sequence[str] = (), folder: str | None = None) -> Known:
    """The configuration `conf/CONFIG_NAME.yaml` with `overrides`.

    Args:
        folder: a folder with more configurations, Hydra's `--config-dir`.

    Raises:
        HydraException: it cannot be composed.
    """
    more = [f"hydra.searchpath=[file://{Path(folder).resolve()}]"] if folder else []
    with COMPOSING, initialize_config_dir(CONF_DIR, version_base="1.3"):
        config = compose(config_name, [*overrides, *more], return_hydra_config=True)
    choices = {str(group): option for group, option in config.hydra.runtime.choices.items()}
    OmegaConf.set_struct(config, False)
    config.pop("hydra")
    OmegaConf.set_struct(config, True)
    return Known(config, choices, tuple(map(Path, [CONF_DIR, *([folder] if folder else [])])))


def with_values(config: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """`config` with the values of `overrides`, which are in Hydra's grammar and add nothing.

    Raises:
        HydraException: a value cannot be read.
        OmegaConfBaseException: it does not fit.
    """
    changed = copy.deepcopy(config)
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        OmegaConf.update(changed, override.get_key_element(), override.value(), merge=True)
    return changed


def names_in(config: DictConfig, prefix: str = "") -> Iterator[str]:
    """The dotted names of all that is in `config`."""
    for key in map(str, config):
        yield f"{prefix}{key}"
        # What refers to another part is named there.
        if not OmegaConf.is_missing(config, key) and not OmegaConf.is_interpolation(config, key):
            child = config[key]
            if isinstance(child, DictConfig):
                yield from names_in(child, f"{prefix}{key}.")


def declared(settings: type = EnhanceSettings, prefix: str = "enhance.") -> dict[str, tuple[Any, Any, str]]:
    """Type, default and explanation of each setting that a data class of settings declares, by its dotted name."""
    hints = typing.get_type_hints(settings)
    found: dict[str, tuple[Any, Any, str]] = {}
    for entry in fields(settings):
        hint = hints[entry.name]
        if is_dataclass(hint):
            found |= declared(typing.cast(type, hint), f"{prefix}{entry.name}.")
        else:
            found[prefix + entry.name] = hint, entry.default, entry.metadata.get("help", "")
    return found


def check_choice(known: Known, override: Override) -> None:
    """See whether a group has the option that is chosen.

    Raises:
        UsageError: it has not, with the nearest that it has.
    """
    options = known.options(override.key)
    value = override.value or ""
    for option in value.split(",") if value[:1] not in ("[", "'", '"') else []:
        if options and option not in (*options, "null") and "${" not in option and "(" not in value:
            near = nearest(option, options)
            among = "" if near.startswith("choose") else f", of {', '.join(options)}"
            raise UsageError(f"There is no {override.name}={option}; {near}{among}.")


def check_names(known: Known, keys: Sequence[str]) -> None:
    """See whether there are settings of the names `keys`.

    Raises:
        UsageError: not of the first of them, with what is right; all that belong to the same options are named.
    """
    names = set(names_in(known.config))
    strange = [key for key in keys if key not in names]
    if not strange:
        return
    first, group = strange[0], strange[0].partition(".")[0]
    having = options_with(known, first)
    if not having:
        raise UsageError(f"There is no setting {first}; {nearest(first, known.names())}.")
    alike = [key for key in strange if key.partition(".")[0] == group and options_with(known, key) == having]
    listed = f"are no settings {' and '.join(alike)}" if len(alike) > 1 else f"is no setting {first}"
    raise UsageError(
        f"There {listed} with {group}={known.choices[group]}; {group}={' or '.join(having)} has "
        f"{'them' if len(alike) > 1 else 'it'}."
    )


def check_value(known: Known, override: Override, sweeps: bool) -> None:
    """See whether the value of a setting is of the setting's type.

    Args:
        sweeps: whether several values mean several runs.

    Raises:
        UsageError: no, with what is right.
    """
    key, config = override.key, known.config
    default = OmegaConf.select(config, key, throw_on_resolution_failure=False)
    if takes_text(key, default):
        return
    for value in parsed(override, sweeps):
        wrong = what_is_wrong(key, value, default)
        if wrong:
            raise UsageError(wrong.replace(key, override.name))


def options_with(known: Known, key: str) -> list[str]:
    """The options of the group that `key` begins with which have the setting that it names."""
    group, _, name = key.partition(".")
    files = [path for folder in known.folders for path in sorted((folder / group).glob("*.yaml"))]
    contents = {path.stem: OmegaConf.load(path) for path in files if group in known.choices}
    return [option for option, content in contents.items() if name in set(content or {})]  # required ones too


def parsed(override: Override, sweeps: bool) -> list[Any]:
    """The values that `override` gives, one unless it is a sweep; none where only Hydra knows them.

    Raises:
        UsageError: it cannot be read, or is a sweep where there is none.
    """
    try:
        read = OverridesParser.create().parse_override(str(override))
    except HydraException as error:
        raise UsageError(f"{override} cannot be read; see to its brackets and quotation marks.") from error
    if not read.is_sweep_override():
        return [read.value()]
    if not sweeps:
        raise UsageError(
            f"{override} gives several values; write {override.name}=[{override.value}] for a list"
            ", or train -m to train with each."
        )
    return [v for v in read.sweep_iterator()] if read.is_choice_sweep() else []


def what_is_wrong(key: str, value: Any, default: Any) -> str | None:
    """Why `value` is none for the setting `key`, in a sentence; None where nothing is.

    Args:
        default: what the setting has by itself, whose type it keeps.
    """
    hint, given = declared().get(key, (None, default, ""))[:2]
    kind, optional = kind_of(key, given if hint in (None, Any) else hint)
    unit = next((said for end, said in UNITS.items() if key.endswith(end)), None)
    value = value.text if isinstance(value, QuotedString) else value
    if isinstance(value, str) and "${" in value:
        return None
    if hint is Any and isinstance(value, list):
        return next(filter(None, (what_is_wrong(key, one, default) for one in value)), None)
    if isinstance(given, Sequence) and not isinstance(given, str):
        single = not isinstance(value, list) and value is not None
        return f"{key}={value} must be a list; write {key}=[{value}]." if single else None
    if kind is None or (key.startswith(LENIENT) and (value in (None, "auto") or not isinstance(value, str))):
        return None
    fits = {
        bool: isinstance(value, bool),
        int: isinstance(value, int) and not isinstance(value, bool),
        float: isinstance(value, int | float) and not isinstance(value, bool),
        str: not isinstance(value, list | dict),
    }[kind]
    if (fits and not (value is None and kind is not str)) or (value is None and optional):
        return None
    if kind is str:
        return f"{key}={value} gives several values where one is expected; give one."
    example = unit or ("one like " + str(given).lower() if isinstance(given, bool | int | float) else "one")
    return f"{key}={value!r} is not {KINDS[kind]}; give {example}, or leave it out."


def kind_of(key: str, given: Any) -> tuple[type | None, bool]:
    """The type that values of the setting `key` have, if it is known, and whether null is one.

    Args:
        given: its declared type, or its default.
    """
    hints = [given] if isinstance(given, type) else typing.get_args(given)
    if isinstance(given, type | types.UnionType):
        kinds = [hint for hint in hints if hint in (bool, int, float, str)]
        return (kinds[0] if kinds else None), type(None) in hints
    measured = any(key.endswith(end) for end in UNITS)
    if given is None:
        return (float if measured else None), True
    kind = type(given)
    if kind is int and measured:
        kind = float
    return (kind if kind in (bool, int, float, str) else None), False
