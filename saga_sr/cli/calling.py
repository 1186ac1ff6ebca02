"""How a verb is called. Imports nothing that an installation may lack."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from saga_sr.core.errors import UsageError

# Settings that files stand for.
Placed = Mapping[str, str | list[str]]


@dataclass(frozen=True)
class Command:
    """How a verb is called.

    Attributes:
        config: its file in `conf/`, without the suffix.
        files: what its files are called in its help.
        place: the settings that files, given those settings that have been named, stand for.
        enhances: whether settings of `EnhanceSettings` go by their short names.
        complete: whether every required setting has to be there.
        patterns: whether `place` is given patterns as they are, and not the files that match them.
    """

    verb: str
    config: str
    files: str
    place: Callable[[list[str], Collection[str]], Placed]
    enhances: bool = False
    complete: bool = True
    patterns: bool = False


def in_order(*settings: str) -> Callable[[list[str], Collection[str]], Placed]:
    """Files stand for `settings`, one each; those that have been named are passed over."""

    def place(files: list[str], given: Collection[str]) -> Placed:
        free = [setting for setting in settings if setting not in given]
        if len(files) > len(free):
            what = " and ".join(free) or "no file: each has been named"
            raise UsageError(f"{len(files)} files are given, but here they stand for {what}; leave {files[-1]!r} out.")
        return dict(zip(free, files, strict=False))

    return place
