"""What `pip install saga-sr` gives, outside a checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from programs import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is uploaded."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def contents(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_holds_every_module_and_configuration_and_says_that_it_is_typed(wheel: Path) -> None:
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "saga_sr").rglob("*.py")}
    configurations = {f"saga_sr/{path.relative_to(ROOT)}" for path in (ROOT / "conf").rglob("*.yaml")}
    held = {name for name in contents(wheel) if ".dist-info/" not in name}
    assert held == modules | configurations | {"saga_sr/py.typed"}


def test_the_metadata_are_those_of_the_project(wheel: Path) -> None:
    from saga_sr import __version__

    stated = metadata(wheel)
    assert (stated["Name"], stated["Version"]) == ("saga-sr", __version__)
    assert (stated["License-Expression"], stated["Author"]) == ("MIT", "saga-sr developers")
    assert "Project-URL" not in stated and "Home-page" not in stated


def test_who_only_enhances_needs_few_packages(wheel: Path) -> None:
    needed = [line for line in metadata(wheel).get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {line.split(">")[0] for line in needed}
    assert len(names) <= 11
    assert not names & {"lightning", "torchaudio", "transformers", "diffusers", "matplotlib", "wandb"}
