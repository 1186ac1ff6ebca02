"""What a model or a file of weights holds, for people: its parts, its tensors, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from omegaconf import OmegaConf

from saga_sr.cli.command import sentences
from saga_sr.cli.settings import read_known
from saga_sr.core.errors import SagaError
from saga_sr.inspection.contents import Contents, Entry
from saga_sr.inspection.cost import Cost, cost
from saga_sr.inspection.weights import open_weights
from saga_sr.packages.finding import find_model
from saga_sr.packages.layout import is_package
from saga_sr.packages.package import model_settings

# The parts of a package, where a training's configuration has them.
PARTS = {
    "codec": "codec", "backbone": "backbone", "conditioner": "conditioning", "objective": "objective",
    "sampler": "sampler", "guidance": "guidance", "low_band": "low_band",
}  # fmt: skip
# What of a model card is shown.
LONGEST_CARD = 20_000


@dataclass(frozen=True)
class Part:
    """Tensors whose names begin alike.

    Attributes:
        numbers: in all of them.
        size: bytes.
        dtypes: theirs, each once.
    """

    name: str
    tensors: int
    numbers: int
    size: int
    dtypes: tuple[str, ...]


@dataclass(frozen=True)
class ModelContents:
    """What was found.

    Attributes:
        contents: what it was recognised as, and its tensors.
        parts: of it, those that come first in the file first.
        cost: of a model package.
        not_counted: why a package's cost is not known, a sentence; empty where it is.
        card: its README; empty where there is none.
    """

    contents: Contents
    parts: Sequence[Part]
    cost: Cost | None = None
    not_counted: str = ""
    card: str = ""


def contents_of(path: Path) -> ModelContents:
    """What is at `path`.

    Raises:
        SagaError: nothing that is read here.
    """
    contents = open_weights(path)
    parts = parts_of(contents.entries)
    package = find_model(path)
    if not is_package(package):
        return ModelContents(contents, parts)
    card = package / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace")[:LONGEST_CARD] if card.is_file() else ""
    try:
        return ModelContents(contents, parts, package_cost(package), card=text)
    except SagaError as error:
        return ModelContents(contents, parts, not_counted=str(error), card=text)


def parts_of(entries: Sequence[Entry]) -> list[Part]:
    """The parts that tensors belong to, by their names' first words."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(_part(entry.name), []).append(entry)
    return [
        Part(
            name,
            len(group),
            sum(prod(entry.shape) for entry in group),
            sum(entry.size for entry in group),
            tuple(dict.fromkeys(entry.dtype for entry in group)),
        )
        for name, group in groups.items()
    ]


def _part(name: str) -> str:
    words = name.split(": ")[0].split(".")
    # A checkpoint holds whole models.
    return ".".join(words[:3] if len(words) > 3 and words[1] == "model" else words[:1])


def package_cost(package: Path) -> Cost:
    """What the model in a package costs; what training takes is that of the default training.

    Raises:
        SagaError: settings that do not fit, or ask for more than the model's classes.
    """
    with sentences():
        config = read_known("inspect").config
        settings = model_settings(package)
        OmegaConf.set_struct(config, False)
        for part, name in PARTS.items():
            if part in settings:
                config[name] = OmegaConf.create(settings[part]) if isinstance(settings[part], dict) else settings[part]
        return cost(config)
