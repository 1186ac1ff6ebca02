"""`saga-sr` itself: its verbs, what it says of itself, and how errors are answered."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from programs import ROOT, environment

from saga_sr.cli.main import FAILED, MISUSED, OK, STOPPED, VERBS, dispatch, main, module_of, status_of
from saga_sr.core.errors import AudioError, SagaError, UsageError
from saga_sr.core.version import __version__


def raising(error: BaseException) -> object:
    raise error


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_alone_it_lists_its_verbs_with_a_line_each(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    dispatch(words)
    lines = capsys.readouterr().out.splitlines()
    for verb, purpose in VERBS.items():
        assert [verb, purpose] in [line.strip().split(maxsplit=1) for line in lines]
        assert importlib.util.find_spec(module_of(verb)) is not None


def test_the_list_imports_neither_torch_nor_hydra() -> None:
    for words in ("['--help']", "['--version']", "['trian']"):
        code = (
            f"import sys; from saga_sr.cli.main import main\ntry: main({words})\nexcept SystemExit: pass\n"
            "print([name for name in ('torch', 'hydra', 'omegaconf', 'numpy') if name in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), cwd=ROOT)
        assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    dispatch(["--version"])
    assert capsys.readouterr().out == f"saga-sr {__version__}\n"


def test_an_unknown_verb_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    for verb, said in (("enhnace", "did you mean enhance?"), ("xyz", "the verbs are train, enhance")):
        with pytest.raises(SystemExit) as end:
            main([verb])
        error = capsys.readouterr().err
        assert end.value.code == MISUSED and error.startswith(f"error: There is no verb '{verb}'") and said in error


def test_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    for work, status, said in (
        (lambda: None, OK, ""),
        (lambda: raising(AudioError("No sound.")), FAILED, "error: No sound.\n"),
        (lambda: raising(SagaError("Bad.")), FAILED, "error: Bad.\n"),
        (lambda: raising(UsageError("What?")), MISUSED, "error: What?\n"),
        (lambda: raising(KeyboardInterrupt()), STOPPED, "Stopped.\n"),
    ):
        assert status_of(work) == status
        assert capsys.readouterr().err == said
    with pytest.raises(ZeroDivisionError):  # a mistake of ours keeps its traceback
        status_of(lambda: raising(ZeroDivisionError()))
