"""What the app says of errors is said in Chinese on pages in Chinese."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import saga_sr
from saga_sr.app.sentences import SENTENCES, in_chinese, pattern_of
from saga_sr.app.training_plan import recipes
from saga_sr.weights import audiosr

ROOT = Path(saga_sr.__file__).parent
# Of these only programs, and who starts the app, hear.
NOT_ON_PAGES = ("command.py", "settings.py", "site.py", "compare_api.py", "enhance_api.py", "inspect_api.py")


def raised(folder: Path) -> Iterator[tuple[Path, str]]:
    """The sentences of errors that are raised in modules, with X for what they put in."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            is_error = isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args
            if is_error and ast.unparse(node.exc.func).endswith("Error"):
                yield from ((path, said) for said in sentences(node.exc.args[0]))


def sentences(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from (*sentences(node.body), *sentences(node.orelse))
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def test_each_sentence_of_the_apps_own_is_known_in_chinese() -> None:
    unknown = [
        f"{path.name}: {said}"
        for path, said in raised(ROOT / "app")
        if path.name not in NOT_ON_PAGES and in_chinese(said) == said
    ]
    assert unknown == []


def constants(folder: Path) -> Iterator[str]:
    """All that modules have in quotation marks: of those that read weights, what these are, too."""
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.expr):
                yield from sentences(node)


def of_audiosr() -> list[str]:
    """What is said of tensors of its checkpoints that nothing is made of, and of encoders that differ."""
    reasons = [f"3 not used: {why}" for why in (*audiosr.UNUSED.values(), audiosr.TWIN, audiosr.UNKNOWN)]
    starts = (audiosr.CONDITION, audiosr.FIRST_STAGE)
    encoders = {f"{start}encoder.weight": torch.tensor(n) for n, start in enumerate(starts)}
    return [*reasons, *audiosr.encoder_names(encoders)[1]]


def test_kinds_of_weights_and_recipes_are_known_in_chinese() -> None:
    kinds = [said for said in constants(ROOT / "inspection") if re.search(r"\w, for \w+=", said)]
    assert len(kinds) >= 12
    known = [*kinds, *(recipe.about for recipe in recipes()), *of_audiosr()]
    assert [said for said in known if in_chinese(said) == said] == []


def test_no_sentence_is_known_that_nobody_says() -> None:
    said = [sentence for _, sentence in raised(ROOT)]
    said += ["There is no setting X; the nearest is X.", "Stopped by X at step X"]  # which are put together
    said += [*constants(ROOT / "inspection"), *(recipe.about for recipe in recipes()), *of_audiosr()]
    assert [english for english, _ in SENTENCES if not any(map(pattern_of(english).fullmatch, said))] == []


@pytest.mark.parametrize("name", ["a.mp3", "50% {path} [x].mp3", "a; choose another folder.wav", "两\n行.wav"])
def test_names_are_taken_over_as_they_are(name: str) -> None:
    assert in_chinese(f"{name} has no result yet; enhance it first.") == f"{name} 还没有结果；请先修复它。"
    assert in_chinese(name) == name
