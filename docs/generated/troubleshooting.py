"""Every sentence that an error of the code says, with what to do about it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from generated.source_code import PACKAGE, ROOT, modules, parsed, purpose

ERRORS = PACKAGE / "core" / "errors.py"
INTRODUCTION = """# Troubleshooting

`saga-sr doctor` looks at the installation and says what is wrong. Every error of saga-sr is one sentence of what is
wrong, why, and how it is mended; here are all of them, made from the code when these pages are built. What stands in
*slanted* letters is filled in. Search for some words of what you were told.

An error that is not here, or a traceback, is a fault of saga-sr: please report it with the output of `saga-sr doctor`.
"""


@dataclass(frozen=True)
class Sentence:
    """What an error says: `…` and slanted names where something is filled in.

    Attributes:
        kind: its class.
        place: `file:line` of the code.
    """

    kind: str
    text: str
    place: str


TITLES = {
    "UsageError": "Commands that are not understood",
    "AudioError": "Recordings",
    "DiskError": "Disks",
    "DataError": "Data for training",
    "ConfigError": "Settings",
    "TrainingError": "Training",
    "PackageError": "Model packages and checkpoints",
    "WeightsError": "Weights from elsewhere",
    "ExtraError": "What is not installed",
    "Cancelled": "Stopped on request",
    "SagaError": "Anything else",
}


def kinds() -> dict[str, str]:
    """The classes of errors, with what each means."""
    return {node.name: purpose(node) for node in parsed(ERRORS).body if isinstance(node, ast.ClassDef)}


def title(kind: str) -> str:
    """The heading of a class of errors."""
    return TITLES.get(kind, kind)


def raised(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Each place in a file where an error is made, with its class."""
    known = kinds()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
            yield node.func.id, node


def sentences() -> list[Sentence]:
    """All of them, in the order of the code."""
    return [
        Sentence(kind, said, f"{path.relative_to(ROOT).as_posix()}:{call.lineno}")
        for path in modules()
        for kind, call in raised(path)
        # What is all filled in is another error's sentence, handed on.
        if call.args and re.search(r"\w", re.sub(r"\*[^*]*\*", "", said := words(call.args[0]).strip()))
    ]


def words(node: ast.expr) -> str:
    """A message as people read it, with the names of what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return shown(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(words(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return words(node.left) + words(node.right)
    if isinstance(node, ast.FormattedValue):
        return words(node.value) if isinstance(node.value, ast.IfExp | ast.JoinedStr) else filled(node.value)
    if isinstance(node, ast.IfExp):
        ways = [way for arm in (node.body, node.orelse) if (way := words(arm).strip())]
        return f"({' / '.join(ways)})" if ways else ""
    return filled(node)


def filled(node: ast.expr) -> str:
    """What stands for a value that is not known before."""
    names = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
    attributes = [part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)]
    name = (attributes or [one for one in names if one not in ("self", "str", "type", "len", "sorted")] or ["…"])[0]
    return f"*{name.strip('_').replace('_', ' ')}*"


def shown(text: str) -> str:
    """Text with what Markdown would read as its own escaped."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text)


def page() -> str:
    """The whole page, as Markdown."""
    parts = [INTRODUCTION]
    found = sentences()
    meanings = kinds()
    for kind in [*TITLES, *(kind for kind in meanings if kind not in TITLES)]:
        mine = {said.text for said in found if said.kind == kind}
        if not mine:
            continue
        parts.append(f"## {title(kind)}\n\n{meanings[kind]}\n\n| what is said | what to do |\n|---|---|")
        parts += [f"| {what} | {mend} |" for what, mend in sorted(map(divided, mine), key=by_words)]
        parts.append("")
    return "\n".join(parts)


def divided(text: str) -> tuple[str, str]:
    """What is wrong, and the mend, which stands after the last semicolon of a message."""
    what, _, mend = text.rpartition("; ")
    return (what, mend[:1].upper() + mend[1:]) if what else (text, "")


def by_words(row: tuple[str, str]) -> str:
    """What the rows of a table are in the order of."""
    return re.sub(r"[^a-z ]", "", row[0].lower())
