"""Each verb's help: what applies to it, with defaults and meaning."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from programs import ROOT

from saga_sr.cli.help import comments
from saga_sr.cli.main import VERBS, dispatch, module_of


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_says_what_it_takes(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    dispatch([verb, "--help"])
    said = capsys.readouterr().out
    assert said.splitlines()[0].lower().startswith(VERBS[verb]) and f"usage: saga-sr {verb} " in said
    assert importlib.import_module(module_of(verb)).__doc__


def test_defaults_units_and_required_settings(capsys: pytest.CaptureFixture[str]) -> None:
    dispatch(["enhance", "--help"])
    said = capsys.readouterr().out
    assert (
        "model=null  A model package" in said
        and "input=...  A file" in said
        and "cutoff_hz=null  where the input's content ends, in Hz" in said
    )
    assert "preset: balanced, best, default, fast" in said and "backbone" not in said
    dispatch(["prepare", "codec=dac", "--help"])
    said = capsys.readouterr().out
    assert "degradations=2  Low-passed versions" in said
    codecs = ", ".join(sorted(path.stem for path in (ROOT / "conf" / "codec").glob("*.yaml")))
    assert f"codec: {codecs}  (default dac)" in said


def test_the_help_of_train_lists_groups_and_the_usual_settings(capsys: pytest.CaptureFixture[str]) -> None:
    dispatch(["train", "--help"])
    said = capsys.readouterr().out
    for line in (
        "loss: gaussian_nll, log_level, mod1, mod2, mse",
        "trainer: cpu, ddp, default, fsdp, gpu",
        "optimizer.lr=0.0001",
        "--hydra-help",
    ):
        assert line in said, line


def test_explanations_are_the_comments_above(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("# A title.\ndefaults:\n  - x\n\nplain: 1\n# What\n# it is.\nb: 2\nc:\n  # Deep.\n  d: 3\n")
    assert comments(file) == {"plain": "", "b": "What it is.", "c.d": "Deep."}
