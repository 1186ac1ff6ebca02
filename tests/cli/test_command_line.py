from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from saga_sr.cli.command_line import literal
from saga_sr.core.config import run_name


def test_run_folders_are_named_by_what_was_changed_and_experiments_of_a_sweep_do_not_share_one() -> None:
    assert run_name("experiment=demo", "experiment") == "default"
    for overrides in ("experiment=demo,seed=1", "seed=1,experiment=demo"):
        assert run_name(overrides, "experiment") == "seed=1"
    assert run_name("experiment=step0,seed=1") != run_name("experiment=step1,seed=1")


@pytest.mark.parametrize(
    "words",
    [
        "",
        "soft piano, a hall (large) = nice",
        "it's [loud] {very}",
        "back\\",
        "a\\'b",
        "don't 'quote' me\\'",
        "ünï 雨 %$",
    ],
)
def test_words_of_the_user_reach_the_program_as_they_were_typed(words: str) -> None:
    (argument, other) = literal([f"prompt={words}", "seed=1,2"], ["prompt"])
    assert OverridesParser.create().parse_override(argument).value() == words
    assert other == "seed=1,2"


def test_what_is_quoted_already_stays() -> None:
    assert literal(["prompt='a, b'", 'input="x y"', "prompt"], ["prompt", "input"]) == [
        "prompt='a, b'", 'input="x y"', "prompt",
    ]  # fmt: skip
