"""A verb's help: its settings with their defaults and meaning, from the comments in `conf/` and the data class."""

from __future__ import annotations

import textwrap
from pathlib import Path

import yaml
from omegaconf import OmegaConf

from saga_sr.cli.calling import Command
from saga_sr.cli.main import VERBS
from saga_sr.cli.settings import Known, declared
from saga_sr.core.config import CONF_DIR

WIDTH = 110


def help_of(command: Command, known: Known, usual: dict[str, str] | None = None) -> str:
    """The help of a verb.

    Args:
        usual: settings of groups that are shown beside the verb's own, with what they mean.
    """
    purpose = VERBS[command.verb]
    parts = [
        f"{purpose[0].upper()}{purpose[1:]}.",
        f"usage: saga-sr {command.verb} {command.files} [SETTING=VALUE ...]",
    ]
    own = comments(Path(CONF_DIR) / f"{command.config}.yaml")
    if command.enhances:
        own = {key: text for key, text in own.items() if key.partition(".")[0] != "enhance"}
    parts.append(listed("settings", {**own, **(usual or {})}, known))
    if command.enhances:
        texts = {key: text for key, (_, _, text) in declared().items()}
        parts.append(listed("settings of enhancing", texts, known, "enhance."))
    groups = [
        f"  {'preset' if group == 'enhance' and command.enhances else group}: {', '.join(known.options(group))}"
        + (f"  (default {option})" if option else "")
        for group, option in sorted(known.choices.items())
        if not group.startswith("hydra") and "@" not in group
    ]
    if groups:
        parts.append("\n".join(["groups, of which GROUP=OPTION chooses:", *groups]))
    parts.append("--cfg job [--resolve] prints the whole configuration instead of running.")
    return "\n\n".join(parts)


def listed(title: str, texts: dict[str, str], known: Known, prefix: str = "") -> str:
    """The settings `texts`, one a line, with defaults where they have one."""
    lines = [f"{title}:"]
    for key, text in texts.items():
        lines += textwrap.wrap(
            f"{key.removeprefix(prefix)}={default(known, key)}  {text}",
            WIDTH, initial_indent="  ", subsequent_indent="      ", break_long_words=False,
        )  # fmt: skip
    return "\n".join(lines)


def default(known: Known, key: str) -> str:
    """What the setting `key` is by itself, as it is written on a command line."""
    if OmegaConf.is_missing(OmegaConf.select(known.config, key.rpartition(".")[0]) or known.config, key.split(".")[-1]):
        return "..."
    value = OmegaConf.select(known.config, key, throw_on_resolution_failure=False)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).replace(", ", ",").replace("{}", "")


def comments(path: Path) -> dict[str, str]:
    """The comment above each value in a YAML file, by the value's dotted name; empty where there is none."""
    text = path.read_text()
    lines = text.splitlines()
    root = yaml.compose(text)
    found: dict[str, str] = {}

    def visit(node: yaml.MappingNode, prefix: str) -> None:
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            if name in ("defaults", "task_name") or key.value == "_target_":
                continue
            if isinstance(value, yaml.MappingNode) and value.value:
                if not any(child.value == "_target_" for child, _ in value.value):
                    visit(value, f"{name}.")
                continue
            above: list[str] = []
            line = key.start_mark.line - 1
            while line >= 0 and lines[line].strip().startswith("#"):
                above.insert(0, lines[line].strip("# ").strip())
                line -= 1
            found[name] = " ".join(above)

    if isinstance(root, yaml.MappingNode):
        visit(root, "")
    return found
