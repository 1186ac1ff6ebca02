"""The packages that saga-sr asks for, held against those that are installed. Imports none of them but to try them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from typing import TYPE_CHECKING

from saga_sr.core.imports import NEEDED

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PACKAGE = "saga-sr"
# Extras of those who build saga-sr, and of all the others together.
NOT_TOLD = {"all", "dev", "docs"}


@dataclass(frozen=True)
class Finding:
    """One line of a report.

    Attributes:
        trouble: what is wrong and how it is mended, in a sentence; None where nothing is.
    """

    name: str
    value: str
    trouble: str | None = None


def needed() -> Iterator[Finding]:
    """The packages without which nothing goes: whether each is there, is what saga-sr asks for, and can be imported."""
    asked = []
    try:
        asked = list(_requirements())
    except PackageNotFoundError:
        yield Finding(
            PACKAGE, "not installed", "saga-sr runs from a folder that is not installed; pip install -e . there."
        )
    wrong = {finding.name: finding for requirement in asked if (finding := _unlike(requirement))}
    told = set()
    for module, package in NEEDED.items():
        error = _error_of_import(module)
        # What one lacks, those that import it lack, too.
        if error is not None and package not in wrong and str(error) not in told:
            wrong[package] = Finding(
                package, "cannot be imported", f"{package} cannot be imported {reason_and_mend(error, package)}"
            )
        told.add(str(error))
    yield from wrong.values()
    there = [f"{package} {_version(package)}" for package in NEEDED.values() if package not in wrong]
    yield Finding("packages", ", ".join(there) or "none")


def extras() -> Iterator[Finding]:
    """What only some need, by the extra that brings it; none of it being there is no trouble."""
    for extra in sorted({*(metadata(PACKAGE).get_all("Provides-Extra") or ())} - NOT_TOLD):
        asked = list(_requirements(extra))
        lacking = [one.name for one in asked if _version(one.name) is None]
        command = f"pip install '{PACKAGE}[{extra}]'"
        if lacking:
            some = f", for lack of {', '.join(lacking)}" if len(lacking) < len(asked) else ""
            yield Finding(f"extra {extra}", f"not installed{some} ({command})")
            continue
        unlike = [f"{one.name}{one.specifier}, not {_version(one.name)}" for one in asked if _unlike(one)]
        trouble = f"The extra {extra} needs {' and '.join(unlike)}; {command}." if unlike else None
        yield Finding(f"extra {extra}", "installed", trouble)


def _requirements(extra: str = "") -> Iterator[Requirement]:
    """What saga-sr asks for on this machine, or what its `extra` does."""
    from packaging.requirements import Requirement

    for text in requires(PACKAGE) or ():
        requirement = Requirement(text)
        of_extra = requirement.marker is not None and "extra" in str(requirement.marker)
        if of_extra == bool(extra) and (requirement.marker is None or requirement.marker.evaluate({"extra": extra})):
            yield requirement


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _unlike(asked: Requirement) -> Finding | None:
    """What is wrong with the package that is `asked` for: it is not there, or another version."""
    there = _version(asked.name)
    if there is not None and asked.specifier.contains(there, prereleases=True):
        return None
    name = asked.name.lower().replace("_", "-")
    wanted = f"{name}{asked.specifier}"
    mend = f"saga-sr needs {wanted}, and finds {there or 'none'}; pip install '{wanted}'."
    return Finding(name, there or "none", mend)


def _error_of_import(module: str) -> Exception | None:
    try:
        importlib.import_module(module)
    except Exception as error:  # whatever its parts raise, as for lack of a system's library
        return error
    return None


def reason_and_mend(error: Exception, package: str = PACKAGE) -> str:
    """Why `package` cannot be used, in brackets, and the command that mends it."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        module = error.name.partition(".")[0]
        package = NEEDED.get(module, module)
    again = "--force-reinstall --no-deps " if _version(package) else ""
    return f"({in_a_line(error)}); pip install {again}{package}."


def in_a_line(error: Exception) -> str:
    """What an error says, in a line of no great length."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200].rstrip(".")
