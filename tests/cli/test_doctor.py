"""`saga-sr doctor`: what is installed, and what is wrong with it."""

from __future__ import annotations

import importlib
import shutil
from collections import namedtuple
from email.message import Message
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
from programs import ROOT, program

from saga_sr.cli.doctor import self_test, work
from saga_sr.core.errors import SagaError
from saga_sr.core.version import __version__
from saga_sr.inspection import dependencies, installation
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
        asked = ["torch>=99", "nowhere-to-be>=2", "x; extra == 'all'", "y; python_version < '3'"]
        patch.setattr(dependencies, "requires", lambda name: asked)
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
    with monkeypatch.context() as patch:
        patch.setenv("TMPDIR", "/nowhere")
        assert ["TMPDIR=/nowhere takes no files" in trouble for trouble in troubles()] == [True]
    with monkeypatch.context() as patch:
        (tmp_path / "file").touch()
        patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
        assert ["set HF_HOME" in trouble for trouble in troubles()] == [True]
    with monkeypatch.context() as patch:
        patch.setenv("SAGA_SR_OWNCODE", "mine")
        patch.setenv("SAGA_SR_OWN_CODE", "nowhere_to_be.Mine")
        mistaken, unfound = troubles()
        assert "nearest is SAGA_SR_OWN_CODE" in mistaken and "nowhere_to_be.Mine, which is not found" in unfound
    assert not troubles()


def test_packages_that_cannot_be_imported_are_told_once_and_so_is_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def broken(name: str) -> Any:
        if name in ("omegaconf", "hydra"):
            raise ModuleNotFoundError("No module named 'yaml'", name="yaml")
        if name == "soundfile":
            raise OSError("cannot load library 'libsndfile.so'")
        return real(name)

    monkeypatch.setattr(importlib, "import_module", broken)
    monkeypatch.setattr(installation, "extras", lambda: iter([1 / 0]))
    assert troubles() == [
        "omegaconf cannot be imported (ModuleNotFoundError: No module named 'yaml'); pip install --force-reinstall "
        "--no-deps pyyaml.",
        "soundfile cannot be imported (OSError: cannot load library 'libsndfile.so'); pip install --force-reinstall "
        "--no-deps soundfile.",
    ]
    assert "ZeroDivisionError" in found()["extras"].value and "codec mdct" in found()


def test_extras_are_those_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = Message()
    for name in ("whole", "half", "none", "old", "dev"):
        listed["Provides-Extra"] = name
    asked = {"whole": "pytest", "half": "pytest nowhere", "none": "nowhere", "old": "pytest>=99", "dev": "nowhere"}
    texts = [f"{package}; extra == '{extra}'" for extra, names in asked.items() for package in names.split()]
    monkeypatch.setattr(dependencies, "metadata", lambda name: listed)
    monkeypatch.setattr(dependencies, "requires", lambda name: texts)
    told = {finding.name.removeprefix("extra "): finding for finding in dependencies.extras()}
    assert {name: finding.value for name, finding in told.items()} == {
        "whole": "installed",
        "half": "not installed, for lack of nowhere (pip install 'saga-sr[half]')",
        "none": "not installed (pip install 'saga-sr[none]')",
        "old": "installed",
    }
    assert [name for name, finding in told.items() if finding.trouble] == ["old"]
    assert (told["old"].trouble or "").endswith(
        f"needs pytest>=99, not {pytest.__version__}; pip install 'saga-sr[old]'."
    )


def test_it_answers_without_the_packages_that_command_lines_need() -> None:
    code = "import sys; sys.modules |= dict.fromkeys(['hydra', 'omegaconf', 'torch', 'scipy']); import saga_sr.__main__"
    done = program("-c", f"{code}; saga_sr.__main__.main(['doctor'])", fresh=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    for package in ("omegaconf", "hydra-core", "torch"):
        assert f"!! {package:16} cannot be imported" in done.stdout
    assert "bundled model    saga-sr-mini" in done.stdout


def test_what_is_wrong_is_its_exit_status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from omegaconf import OmegaConf

    monkeypatch.setattr(dependencies, "requires", lambda name: ["torch>=99"])
    with pytest.raises(SagaError, match=r"1 of this is wrong.*pip install 'torch>=99'"):
        work(OmegaConf.create({"device": "cpu", "self_test": False}))
    assert "\n!! torch" in capsys.readouterr().out


def test_a_self_test_that_fails_says_why() -> None:
    assert "device='tpu9' cannot be used here" in (self_test("tpu9").trouble or "")
