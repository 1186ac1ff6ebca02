"""What the generated pages read of the source code, without running any of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "saga_sr"


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def modules() -> list[Path]:
    """All files of the package, in order."""
    return sorted(PACKAGE.rglob("*.py"))


def file_of(module: str) -> Path:
    """The file of a dotted name."""
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def class_named(dotted: str) -> tuple[Path, ast.ClassDef] | None:
    """A class of the package by its dotted name; None for others'."""
    module, _, name = dotted.rpartition(".")
    path = file_of(module)
    if not module.startswith("saga_sr") or not path.is_file():
        return None
    found = [node for node in parsed(path).body if isinstance(node, ast.ClassDef) and node.name == name]
    return (path, found[0]) if found else None


def lineage(dotted: str) -> Iterator[ast.ClassDef]:
    """A class and those of the package that it is made from, nearest first."""
    known = class_named(dotted)
    if known is None:
        return
    path, node = known
    yield node
    imported = {
        alias.name: f"{statement.module}.{alias.name}"
        for statement in parsed(path).body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for base in node.bases:
        if isinstance(base, ast.Name):
            yield from lineage(imported.get(base.id, f"{module}.{base.id}"))


def purpose(node: ast.ClassDef) -> str:
    """The first paragraph of a class's docstring."""
    return " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())


def arguments(node: ast.ClassDef) -> dict[str, str]:
    """What a class's docstring says of each argument."""
    text = ast.get_docstring(node) or ""
    section = re.search(r"^Args:\n((?:[ ]{4}.*\n?|\n)*)", text, re.MULTILINE)
    found: dict[str, str] = {}
    for names, said in re.findall(
        r"^[ ]{4}([\w, *]+): ((?:.*)(?:\n[ ]{8}.*)*)", section[1] if section else "", re.MULTILINE
    ):
        for name in names.split(","):
            found[name.strip(" *")] = " ".join(said.split())
    return found
