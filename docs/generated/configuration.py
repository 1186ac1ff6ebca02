"""The configuration reference: every value of every file in `conf/`, with what its comment or its class says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from generated.source_code import ROOT, arguments, lineage, purpose

CONF = ROOT / "conf"
COMMANDS = {
    "train": "saga-sr train",
    "infer": "saga-sr enhance",
    "evaluate": "saga-sr evaluate",
}
INTRODUCTION = """# Configuration reference

Made from `conf/` and from docstrings when these pages are built. `GROUP=OPTION` chooses a file of a group,
`GROUP.KEY=VALUE` sets a value of what was chosen, and `saga-sr VERB --cfg job --resolve` prints all of it.
`???` has to be given; `${...}` follows another value.
"""


def page() -> str:
    """The whole page, as Markdown."""
    parts = [INTRODUCTION, "## Commands\n"]
    for path in sorted(CONF.glob("*.yaml")):
        parts.append(f"### `{COMMANDS.get(path.stem, f'saga-sr {path.stem}')}`\n")
        parts.append(option(path))
    for group in sorted(path for path in CONF.rglob("*") if path.is_dir() and list(path.glob("*.yaml"))):
        name = group.relative_to(CONF).as_posix()
        parts.append(f"## {name}\n")
        for path in sorted(group.glob("*.yaml")):
            parts.append(f"### `{name}={path.stem}`\n")
            parts.append(option(path))
    return "\n".join(parts)


def option(path: Path) -> str:
    """What a file chooses and sets."""
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text)
    parts = [sentence(" ".join(head(text)))]
    parts += sorted(targets(root)) if root is not None else []
    rows = [*values(root, text.splitlines())] if root is not None else []
    if rows:
        parts.append("\n".join(["| key | value | |", "|---|---|---|", *rows]))
    return "\n\n".join(part for part in parts if part) + "\n"


def head(text: str) -> list[str]:
    """The comment that a file begins with, but for Hydra's own lines."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line.strip("# "))
    return lines


def targets(node: Any) -> set[str]:
    """What is made: the classes of a file, with the first paragraph of what each says."""
    if not isinstance(node, yaml.MappingNode):
        return set()
    found = set()
    for key, value in node.value:
        if key.value == "_target_":
            said = [purpose(one) for one in lineage(value.value)][:1]
            found.add(f"`{value.value}`: {cell(said[0])}" if said else f"`{value.value}`")
        found |= targets(value)
    return found


def values(node: Any, lines: list[str], prefix: str = "", said: dict[str, str] | None = None) -> list[str]:
    """A row for each value below `node`."""
    if not isinstance(node, yaml.MappingNode):
        return []
    target = next((value.value for key, value in node.value if key.value == "_target_"), None)
    said = dict(said or {})
    for one in reversed([*lineage(target)] if target else []):
        said |= arguments(one)
    rows = []
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        if key.value == "_target_":
            continue
        if isinstance(value, yaml.MappingNode) and value.value:
            rows += values(value, lines, f"{name}.")
            continue
        written = yaml.serialize(value).strip().removesuffix("...").strip() if value.value != "" else '""'
        if isinstance(value, yaml.ScalarNode):
            written = value.value or '""'
        elif isinstance(value, yaml.SequenceNode):
            written = ", ".join(" ".join(yaml.serialize(item).replace("...", "").split()) for item in value.value)
        meaning = comment(lines, key.start_mark.line) or said.get(key.value, "")
        rows.append(f"| `{name}` | `{cell(written)}` | {cell(meaning)} |")
    return rows


def comment(lines: list[str], line: int) -> str:
    """The comment that stands above a line."""
    found: list[str] = []
    while line > 0 and lines[line - 1].strip().startswith("#") and "@package" not in lines[line - 1]:
        line -= 1
        found.insert(0, lines[line].strip("# "))
    return "" if line == 0 else " ".join(found)


def cell(text: str) -> str:
    """`text` where a bar or a line's end would end the cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def sentence(text: str) -> str:
    """`text` outside of tables."""
    return text.replace("<", "&lt;")
