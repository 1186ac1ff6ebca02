"""What all configurations share: where they are, the resolvers that they use, and what is wrong with one in words."""

from __future__ import annotations

import hashlib
import inspect
import os
import re
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, MissingMandatoryValue

from saga_sr.core.errors import ConfigError, SagaError
from saga_sr.core.imports import missing_extra

PACKAGE = Path(__file__).resolve().parents[1]
# A wheel carries the configurations inside the package; in a checkout they are beside it.
CONF_DIR = str(PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf")
LONGEST_NAME = 120
# What Python says of an argument that a class does not have.
UNKNOWN_ARGUMENT = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")


def run_name(overrides: str, leave_out: str = "") -> str:
    """A folder's name for a run with `overrides`, `a=1,b=2`: no separators, and not too long for a disk.

    Args:
        leave_out: an override that the name goes without.
    """
    overrides = re.sub(rf"(^|,){leave_out}=[^,]*", "", overrides).strip(",") if leave_out else overrides
    name = re.sub(r"[^\w.,=+-]+", "_", overrides).strip("_") or "default"
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}-{hashlib.sha1(os.fsencode(overrides)).hexdigest()[:8]}"


def conditioning_dim(part: str, *, _parent_: DictConfig) -> int | None:
    """What the conditions beside a value give to a backbone: the width of their `tokens`, or the sum of `columns`.

    Each says it itself (`Condition.dims_of`), of its settings; None where there is nothing.
    """
    from hydra.utils import get_class  # loading a model composes nothing, and does without Hydra

    found = []
    for name in map(str, _parent_):
        if OmegaConf.is_missing(_parent_, name) or OmegaConf.is_interpolation(_parent_, name):
            continue
        settings = _parent_[name]
        if isinstance(settings, DictConfig):
            condition: Any = get_class(settings["_target_"])
            found.append(getattr(condition.dims_of(settings), part) or 0)
    # Tokens have one width; where they have several, the conditioner says so.
    return (max(found, default=0) if part == "tokens" else sum(found)) or None


OmegaConf.register_new_resolver("run_name", run_name, replace=True)
OmegaConf.register_new_resolver("conditioning_dim", conditioning_dim, replace=True)


def cause(error: BaseException, config: DictConfig | None = None) -> str:
    """The message of the `SagaError` behind `error`, or what it says, in a line.

    Args:
        config: what was worked with, for all that is wrong with it in the same way.
    """
    if isinstance(error, InterpolationToMissingValueError):
        name = str(error).splitlines()[0].rpartition(" ")[2]
        return f"{name} is required for {error.full_key}; add {name}=... to the command."
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key or 'a value'} is required; add {error.full_key}=... to the command."
    inner: BaseException | None = error
    while inner is not None:
        known = inner if isinstance(inner, SagaError) else missing_extra(inner)
        if known is not None:
            return str(known)
        inner = inner.__cause__
    return (
        missing_module(error) or unknown_setting(error, config) or " ".join(str(error).split()) or type(error).__name__
    )


def unknown_setting(error: BaseException, config: DictConfig | None = None) -> str | None:
    """What to do if behind `error` is that a part has settings that it does not know, those for another option say."""
    found = UNKNOWN_ARGUMENT.search(str(error))
    key = re.search(r"full_key: ([\w.]+)", str(error))
    if found is None or key is None:
        return None
    part = key[1].removeprefix("model.")
    # Python names the first alone.
    names = _unknown_to_its_class(OmegaConf.select(config, key[1])) if config is not None else []
    settings = [f"{part}.{name}" for name in names or [found[2]]]
    are, them = ("are", "them") if len(settings) > 1 else ("is", "it")
    return (
        f"{' and '.join(settings)} {are} set, by the recipe if not by the command, but {found[1]} has no such setting; "
        f"leave {them} out ({' '.join(f'~{name}' for name in settings)}), or choose another {part.split('.')[0]}=."
    )


def _unknown_to_its_class(part: Any) -> list[str]:
    """The settings of `part` that the class that it names does not take."""
    from hydra.utils import get_class

    if not is_chosen(part):
        return []
    taken = inspect.signature(get_class(part["_target_"])).parameters
    return [name for name in map(str, part) if not name.startswith("_") and name not in taken]


def missing_module(error: BaseException) -> str | None:
    """What to do if behind `error` is that a module is not found: most likely one of the user's own."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ModuleNotFoundError):
            return f"No module {inner.name} is found; install it, or add the folder that it is in to PYTHONPATH."
        inner = inner.__cause__ or inner.__context__
    return None


def is_chosen(part: Any) -> bool:
    """Whether a configuration has this part: a group's `none` has only what a recipe says of the others."""
    return bool(part) and part.get("_target_") is not None


def check_teacher(config: DictConfig) -> None:
    """See whether `config` names a teacher where it is of a distillation, and none elsewhere.

    Raises:
        ConfigError: it does not.
    """
    if config.teacher is not None and not config.distillation:
        raise ConfigError(f"teacher={config.teacher} is for distillation; add experiment=distill, or leave it out.")
    if config.teacher is None and config.distillation:
        raise ConfigError("A distillation needs a teacher; add teacher=MODEL, a model package or a run.")
