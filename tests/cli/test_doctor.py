"""`saga-sr doctor`: what is installed, and what is wrong with it."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from programs import ROOT, program

from saga_sr.cli.doctor import self_test, work
from saga_sr.core.errors import SagaError
from saga_sr.core.version import __version__
from saga_sr.inspection import installation
from saga_sr.packages import bundled


def found() -> dict[str, installation.Finding]:
    return {finding.name: finding for finding in installation.findings()}


def troubles() -> list[str]:
    return [finding.trouble for finding in installation.findings() if finding.trouble]


@pytest.mark.slow
def test_it_says_what_is_there_and_that_a_file_is_enhanced() -> None:
    done = program("-m", "saga_sr", "doctor", "device=cpu")
    assert done.returncode == 0, done.stderr
    for part in (__version__, torch.__version__.partition("+")[0], "self-test", "s on cpu", "Nothing is wrong."):
        assert part in done.stdout, part
    assert "!!" not in done.stdout


def test_every_codec_is_there_with_what_it_needs() -> None:
    lines = found()
    for path in (ROOT / "conf" / "codec").glob("*.yaml"):
        assert f"codec {path.stem}" in lines
    assert "cvssp/audioldm2-music from the hub" in lines["codec audioldm2_music"].value
    assert lines["codec mdct"].value == "needs no weights" and "codec.path=" in lines["codec dac"].value


def test_each_trouble_is_told_with_its_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(installation, "requires", lambda name: ["torch>=99", "nowhere-to-be>=2", "x; extra == 'all'"])
        assert [trouble.rpartition("; ")[2] for trouble in troubles()] == [
            "pip install 'torch>=99'.",
            "pip install 'nowhere-to-be>=2'.",
        ]
    with monkeypatch.context() as patch:
        patch.setattr(bundled, "MODELS", tmp_path)
        assert ["No model comes with" in trouble for trouble in troubles()] == [True]
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "which", lambda name: name)
        patch.setattr(torch.cuda, "is_available", lambda: False)
        assert ["A driver of NVIDIA is here" in trouble for trouble in troubles()] == [True]
    with monkeypatch.context() as patch:
        usage = namedtuple("usage", "total used free")
        patch.setattr(shutil, "disk_usage", lambda folder: usage(0, 0, 10**8))
        assert ["0.1 GB left" in trouble for trouble in troubles()] == [True]
    assert not troubles()


def test_what_is_wrong_is_its_exit_status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from omegaconf import OmegaConf

    monkeypatch.setattr(installation, "requires", lambda name: ["torch>=99"])
    with pytest.raises(SagaError, match=r"1 of this is wrong.*pip install 'torch>=99'"):
        work(OmegaConf.create({"device": "cpu", "self_test": False}))
    assert "\n!! torch" in capsys.readouterr().out


def test_a_self_test_that_fails_says_why() -> None:
    assert "device='tpu9' cannot be used here" in (self_test("tpu9").trouble or "")
