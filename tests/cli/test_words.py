"""What is a setting, a file or an option among the words of a command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from saga_sr.cli.words import Override, Words, matching, nearest, sort_words
from saga_sr.core.errors import UsageError

KNOWN = ["seed", "data", "data.path", "optimizer.lr", "cutoff_hz", "hydra"]
OPTIONS = {"--cfg": True, "--resolve": False}


def sort(*words: str) -> Words:
    return sort_words(words, KNOWN, OPTIONS)


def test_settings_files_and_options_come_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = sort("a.wav", "seed=1", "--cfg", "job", "+new.one=2", "b c.wav", "~data", "--resolve", "-", "data.path=x=y")
    assert found.files == ["a.wav", "b c.wav", "-"]
    assert found.options == {"--cfg": "job", "--resolve": ""}
    assert found.overrides == [
        Override("", "seed", "1"), Override("+", "new.one", "2"), Override("~", "data", None),
        Override("", "data.path", "x=y"),
    ]  # fmt: skip
    assert [str(o) for o in found.overrides] == ["seed=1", "+new.one=2", "~data", "data.path=x=y"]


def test_files_with_the_signs_of_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    named = ["take 1.2 a=b [x]{y},z.wav", "odd=name.wav", "+plus=1.wav", "-dash.wav", "'quoted'", "bad\udcff=.wav"]
    for name in named:
        (tmp_path / name).touch()
    assert sort(*named).files == named
    # Not there yet, but no name of a setting either; and after `--` all are files.
    assert sort("./a=b.wav", "out/a=b.wav", "new a=b.wav").files == ["./a=b.wav", "out/a=b.wav", "new a=b.wav"]
    assert sort("--", "seed=1", "--cfg").files == ["seed=1", "--cfg"]


def test_patterns_that_the_shell_left(tmp_path: Path) -> None:
    for name in ("b.wav", "a.wav", "[c].wav", "deep/d.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert sort(f"{tmp_path}/?.wav").files == [f"{tmp_path}/?.wav"]
    assert matching(f"{tmp_path}/?.wav") == [f"{tmp_path}/a.wav", f"{tmp_path}/b.wav"]
    assert matching(f"{tmp_path}/[c].wav") == [f"{tmp_path}/[c].wav"]  # a name comes before a pattern
    assert matching(f"{tmp_path}/**/d.wav") == [f"{tmp_path}/deep/d.wav"]
    assert matching(f"{tmp_path}/*.mp3") == [f"{tmp_path}/*.mp3"]


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert sort("~/a=b.wav").files == ["/home/me/a=b.wav"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sed=1"], "There is no setting sed, and no file sed=1; the nearest is seed."),
        (["lr=1"], "There is no setting lr, and no file lr=1; the nearest is optimizer.lr."),
        (["seed=1", "seed=2"], "seed is given twice, as seed=1 and seed=2; give it once."),
        (["--cgf", "job"], "There is no option --cgf; the nearest is --cfg."),
    ],
)
def test_a_mistake_is_answered_with_the_nearest(words: list[str], said: str) -> None:
    with pytest.raises(UsageError) as error:
        sort(*words)
    assert str(error.value) == said


def test_the_nearest_looks_at_the_last_part_of_names() -> None:
    assert nearest("batchsize", ["data.batch_size", "seed"]) == "the nearest is data.batch_size"
    assert nearest("xyz", ["data.batch_size", "seed"]) == "choose one of data.batch_size, seed"
