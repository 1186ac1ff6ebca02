"""The words of a command line: options, settings and files, in any order."""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from saga_sr.cli.quoting import expanded
from saga_sr.core.errors import UsageError
from saga_sr.core.storage import plain

SETTING = re.compile(r"(?P<sign>\+\+|\+|~)?(?P<key>[A-Za-z_][\w./@:]*)(?P<value>=.*)?", re.DOTALL)
NAME = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")


@dataclass(frozen=True)
class Override:
    """`key=value`, `+key=value`, `++key=value` or `~key`.

    Attributes:
        short: what the user calls the setting, where that is not `key`.
    """

    sign: str
    key: str
    value: str | None
    short: str | None = None

    @property
    def name(self) -> str:
        """What the user calls the setting."""
        return self.short or self.key

    def __str__(self) -> str:
        return f"{self.sign}{self.key}" + ("" if self.value is None else f"={self.value}")


@dataclass
class Words:
    """A command line, sorted."""

    options: dict[str, str] = field(default_factory=dict)
    overrides: list[Override] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def sort_words(words: Iterable[str], known: Collection[str], options: Mapping[str, bool]) -> Words:
    """What is what among `words`.

    Args:
        known: the names of all settings; those that begin as one of them does are settings too.
        options: the options (`--cfg`) that there are, and whether a value follows.

    Raises:
        UsageError: a word that is neither, with the nearest that there is.
    """
    found = Words()
    beginnings = {beginning(name) for name in known}
    rest = iter(words)
    for word in rest:
        if word == "--":
            found.files += map(plain, rest)
        elif word.startswith("-") and word != "-" and not os.path.lexists(word):
            name, is_joined, value = word.partition("=")
            if name not in options:
                raise UsageError(f"There is no option {name}; {nearest(name, options)}.")
            if options[name] and not is_joined:
                value = next(rest, "")
            found.options[name] = value
        else:
            override = read_setting(word, beginnings)
            if override is not None:
                found.overrides.append(override)
            elif is_name(word) and not os.path.lexists(word):
                key = word.partition("=")[0]
                raise UsageError(f"There is no setting {key}, and no file {word}; {nearest(key, known)}.")
            else:
                found.files.append(expanded(word))
    doubled(found.overrides)
    return found


def read_setting(word: str, beginnings: Collection[str]) -> Override | None:
    """The setting that `word` gives; None where it gives none whose name begins as one of `beginnings`."""
    parts = SETTING.fullmatch(word)
    if parts is None:
        return None
    sign, key, value = parts["sign"] or "", parts["key"], parts["value"]
    if value is None and sign != "~":
        return None  # a name without a value
    is_known = beginning(key) in beginnings
    if not is_known and (sign in ("", "~") or os.path.lexists(word)):
        return None
    return Override(sign, key, None if value is None else value[1:])


def beginning(name: str) -> str:
    """The first part of a setting's name: `data` of `data.path`."""
    return re.split(r"[./@:]", name)[0]


def is_name(word: str) -> bool:
    """Whether `word` looks like a setting: what has other signs before `=` is a file, also one yet to be written."""
    key, is_setting, _ = word.partition("=")
    return bool(is_setting) and NAME.fullmatch(key) is not None


def doubled(overrides: Iterable[Override]) -> None:
    """See that nothing is set twice.

    Raises:
        UsageError: something is.
    """
    seen: dict[str, Override] = {}
    for override in overrides:
        first = seen.setdefault(override.sign + override.key, override)
        if first is not override:
            raise UsageError(f"{override.key} is given twice, as {first} and {override}; give it once.")


def matching(word: str) -> list[str]:
    """The files that `word` means: itself, or those that it matches where the shell did not look (`'*.wav'`)."""
    if os.path.lexists(word) or not glob.has_magic(word):
        return [word]
    return sorted(glob.glob(word, recursive=True)) or [word]  # noqa: PTH207 - Path.glob takes no absolute patterns


def nearest(name: str, known: Iterable[str]) -> str:
    """The nearest of `known` to a mistyped `name`, as advice."""
    names = sorted({*known})
    last = name.rpartition(".")[2]
    same = [other for other in names if other.rpartition(".")[2] == last]
    near = same[:1] or difflib.get_close_matches(name, names, 1)
    if not near:
        lasts = {other.rpartition(".")[2]: other for other in reversed(names)}
        near = [lasts[close] for close in difflib.get_close_matches(last, lasts, 1, 0.7)]
    if near:
        return f"the nearest is {near[0]}"
    return f"choose one of {', '.join(names)}" if len(names) <= 30 else "--help lists what there is"
