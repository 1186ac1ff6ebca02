"""Paths and words reach the program as they were typed: through Hydra's grammar and OmegaConf's references."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from saga_sr.cli.quoting import expanded, quoted, takes_text, text_value, uninterpolated
from saga_sr.core.config import run_name

# Any name that a disk can hold, bytes that are not UTF-8 (lone surrogates) and signs of all grammars included.
SIGNS = st.sampled_from([*"'\"\\${}[](),=:;~#!@ \t\n*?%&|.", "${", "\\$", "???", "\udcff", "null", "1"])
TEXTS = st.lists(SIGNS | st.characters(exclude_characters="\0"), max_size=12).map("".join)


def read(value: str) -> object:
    """What a program finds in its configuration for a value in Hydra's grammar."""
    read = OverridesParser.create().parse_override(f"key={value}").value()
    return OmegaConf.create({"key": read})["key"]


@given(TEXTS)
@example("take 1.2 a=b [x]{y},z.wav")
@example("back\\")
@example("back\\\n")
@example("a\\'b\\\\${c}\\")
@example("don't 'quote' me\\'")
@example("soft piano, a hall (large) = nice")
def test_any_text_arrives_as_it_was_typed(text: str) -> None:
    if text != "???":  # which OmegaConf cannot hold
        assert read(quoted(uninterpolated(text))) == text


@pytest.mark.parametrize("text", ["/music/a.wav", "./a", "../b", "outputs/demo", "s3://bucket/folder"])
def test_plain_paths_stay_plain(text: str) -> None:
    assert quoted(text) == text


@pytest.mark.parametrize("text", ["1", "1e5", "null", "true", "NaN", "", "2024-01-02", ".5"])
def test_what_hydra_would_read_as_something_else_is_text(text: str) -> None:
    assert read(quoted(text)) == text


def test_what_is_in_hydras_grammar_stays_unless_it_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for value in ("null", "'/a b'", '"/a b"', "[/a,/b]", "{/a: 2, /b: 1}"):
        assert text_value("data.path", value) == value
    (tmp_path / "[x]").touch()
    assert read(text_value("data.path", "[x]")) == "[x]"
    assert read(text_value("prompt", "[loud] {very}")) == "[loud] {very}"
    assert read(text_value("prompt", "[a, b]")) == "[a, b]"


def test_home_is_expanded_in_paths_and_not_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert expanded("~/a=b") == "/home/me/a=b" and expanded("a~") == "a~"
    assert text_value("model", "~/m") == "/home/me/m" and read(text_value("prompt", "~/m")) == "~/m"


def test_text_settings_are_told_from_switches_of_that_name() -> None:
    assert takes_text("data.path", "???") and takes_text("resume", "auto") and takes_text("init_from", None)
    assert not takes_text("sweep.resume", False) and not takes_text("data.batch_size", 16)
    assert not takes_text("model", OmegaConf.create({}))


def test_run_folders_are_named_by_what_was_changed_and_experiments_of_a_sweep_do_not_share_one() -> None:
    assert run_name("experiment=demo", "experiment") == "default"
    for overrides in ("experiment=demo,seed=1", "seed=1,experiment=demo"):
        assert run_name(overrides, "experiment") == "seed=1"
    assert run_name("experiment=step0,seed=1") != run_name("experiment=step1,seed=1")
    assert run_name("data.path='/a/\udcff" + "x" * 200 + "'").isascii()
