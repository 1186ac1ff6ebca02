"""How the house is built: who imports whom, how long modules are, and that tests reach all of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from programs import ROOT

from saga_sr.cli.main import VERBS
from saga_sr.cli.main import module_of as module_of_verb

PACKAGE = "saga_sr"
LONGEST = 300
# Pairs of rooms of which one imports the other, programs, experiments and benchmarks included.
ARROWS = 133

# The rooms, ground floor first, and what each may import: rooms above it, none below. A loose module is its own room.
ROOMS: dict[str, set[str]] = {
    "core": set(),
    "audio": {"core"},
    "files": {"core", "audio"},
    "flow": {"core"},
    "weights": {"core", "flow"},
    "conditioning": {"core", "audio"},
    "degradations": {"core", "audio"},
    "codecs": {"core", "weights"},
    "backbones": {"core", "weights", "conditioning"},
    "losses": {"core", "flow"},
    "synthesis": {"core"},
    "data": {"core", "audio", "files", "codecs", "synthesis"},
    # What codecs keep of recordings is measured where metrics are.
    "evaluation": {"core", "audio", "files", "codecs"},
    "model": {"core", "audio", "flow", "conditioning", "codecs", "backbones"},
    # Exported graphs are made of the conditions' values and of the guidance, as sampling is.
    "packages": {"core", "flow", "weights", "conditioning", "model"},
    "preparation": {"core", "audio", "files", "conditioning", "codecs", "data"},
    "captioning": {"core", "audio", "files", "data"},
    "pages": {"core", "audio", "files", "evaluation"},
    # What enhancing gives back shows itself in a notebook.
    "inference": {"core", "audio", "files", "model", "packages", "pages"},
    "inspection": {"core", "flow", "weights", "conditioning", "codecs", "backbones", "model", "packages"},
    # A student is trained along its teacher's way.
    "training": {
        *("core", "audio", "files", "flow", "weights", "data", "evaluation", "model", "packages", "pages", "inference"),
    },
    "__init__": {"core", "inference", "packages"},
    "cli": {
        *("core", "evaluation", "preparation", "captioning", "pages", "packages"),
        *("inference", "inspection", "training"),
    },
    "__main__": {"cli"},
    "app": {"core", "audio", "files", "data", "inference", "inspection", "packages", "cli"},
}
# Outside the package: programs import a room, nothing imports them.
OUTSIDE = {"train": {"cli"}, "infer": {"cli"}, "experiments": {*ROOMS}, "benchmarks": {*ROOMS}}

# What others keep to themselves and is used all the same.
PRIVATE_MODULES = {
    "torch._subclasses.fake_tensor": "fake tensors have no public name yet",
    "torch.utils._python_dispatch": "where PyTorch's own notes on dispatch modes import them from",
    "torch.utils._pytree": "what a dispatch mode's arguments are made of",
}
PRIVATE_ATTRIBUTES = {
    "_exit": "os._exit is public",
    "_target_": "Hydra's word in a configuration",
    "_apply": "nn.Module's only place where all moves and casts pass; PyTorch's own modules override it",
    "_create_process_workers": "litdata's engine has no hook after its workers' start",
    "_foreach_lerp_": "the only in-place lerp of many tensors at once",
    "_weight_norm": "what weight_norm itself calls; DAC's weights are stored as its arguments",
    "_scaled_dot_product_flash_attention": "an operator's name, to count operations by",
    "_cdata": "tells storages of fake tensors apart",
    "_is_avx512_bf16_supported": "PyTorch has no public question for it",
    "_is_amx_tile_supported": "PyTorch has no public question for it",
}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def modules() -> dict[str, Path]:
    """All modules of the package by dotted name."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def module_of(dotted: str) -> str | None:
    """The module of the package that a dotted name lies in."""
    parts = dotted.split(".")
    candidates = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((name for name in candidates if name in modules()), None)


def imports(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, wherever in it."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def outside() -> Iterator[tuple[str, Path]]:
    """Files outside the package, with the room that they count as."""
    for name in OUTSIDE:
        for path in [ROOT / f"{name}.py"] if (ROOT / f"{name}.py").is_file() else (ROOT / name).rglob("*.py"):
            yield name, path


def arrows() -> dict[tuple[str, str], set[str]]:
    """For each pair of rooms of which one imports the other, where it does so."""
    found: dict[tuple[str, str], set[str]] = {}
    for source, path in [*((room(name), path) for name, path in modules().items()), *outside()]:
        for name in imports(path):
            module = module_of(name)
            if module is not None and room(module) != source:
                found.setdefault((source, room(module)), set()).add(str(path.relative_to(ROOT)))
    return found


def test_the_table_has_every_room_and_points_up_only() -> None:
    assert {room(name) for name in modules()} == {*ROOMS}
    order = list(ROOMS)
    for name, allowed in ROOMS.items():
        assert allowed <= {*order[: order.index(name)]}, f"{name} may import what stands below it"


def test_rooms_import_what_the_table_says() -> None:
    table = ROOMS | OUTSIDE
    wrong = {arrow: places for arrow, places in arrows().items() if arrow[1] not in table[arrow[0]]}
    assert not wrong


def test_the_table_allows_nothing_that_no_module_needs() -> None:
    assert not {(source, target) for source, allowed in ROOMS.items() for target in allowed} - {*arrows()}


def test_arrows_do_not_become_more() -> None:
    assert len(arrows()) <= ARROWS


def test_modules_are_short_and_named_for_what_is_in_them() -> None:
    long = {name: lines for name, path in modules().items() if (lines := path.read_text().count("\n")) > LONGEST}
    assert not long
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
    assert not [name for name in modules() if vague & {*name.split(".")}]


def test_what_others_keep_to_themselves_is_not_used_but_for_a_reason() -> None:
    imported: set[str] = set()
    attributes: set[str] = set()
    for path in modules().values():
        imported |= {name.rpartition(".")[0] for name in imports(path) if any(map(is_private, name.split(".")))}
        attributes |= private_attributes(path)
    assert imported == {*PRIVATE_MODULES}
    assert attributes == {*PRIVATE_ATTRIBUTES}


def is_private(name: str) -> bool:
    return re.match(r"_[^_]", name) is not None


def private_attributes(path: Path) -> set[str]:
    """The private attributes that a file uses of what is not its own."""
    nodes = [*ast.walk(parsed(path))]
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    used = set()
    for node in nodes:
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            of_self = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            inherited = isinstance(node.value, ast.Call)  # super().
            if not of_self and (inherited or node.attr not in own):
                used.add(node.attr)
    return used


# -- tests reach every module ------------------------------------------------------------------------------------------


def strings(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def named_modules(path: Path) -> Iterator[str]:
    """The modules that a file imports or starts: by `train.py`, by a verb of the command line, or by a dotted name."""
    names = [*imports(path)]
    for text in strings(path):
        names += re.findall(rf"\b{PACKAGE}(?:\.\w+)+", text)
        if text in ("train.py", "infer.py"):
            names += imports(ROOT / text)
        elif text == PACKAGE:  # python -m saga_sr
            names.append(f"{PACKAGE}.__main__")
        elif text in VERBS:
            names.append(module_of_verb(text))
    for name in names:
        module = module_of(name)
        if module is not None:
            yield module


def reached() -> set[str]:
    """The modules that tests import or start, and whatever those import."""
    waiting = [
        name for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__) for name in named_modules(path)
    ]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += [module for dotted in imports(modules()[name]) if (module := module_of(dotted))]
        # Importing a module imports the packages that it lies in.
        waiting += [name.rpartition(".")[0]] if "." in name else []
    return found


def test_every_module_is_reached_by_tests() -> None:
    assert {*modules()} - reached() == set()
