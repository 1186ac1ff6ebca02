"""What `pip install saga-sr` gives, outside a checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
import torch
from conftest import QUICK
from programs import ROOT

from saga_sr.files.reading import read_audio
from saga_sr.files.writing import write_audio
from saga_sr.packages.bundled import DEFAULT


@pytest.fixture(scope="module")
def source(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a release is made of, with a tiny model in the place of the bundled one as long as there is none."""
    folder = tmp_path_factory.mktemp("source") / "saga-sr"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".*", "__pycache__", "outputs", "dist", "experiments"))
    shutil.copy(ROOT / ".gitignore", folder)
    model = folder / "saga_sr" / "models" / DEFAULT
    if not model.exists():
        shutil.copytree(package, model)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is uploaded."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def contents(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_holds_every_module_and_configuration_a_model_and_says_that_it_is_typed(wheel: Path) -> None:
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "saga_sr").rglob("*.py")}
    configurations = {f"saga_sr/{path.relative_to(ROOT)}" for path in (ROOT / "conf").rglob("*.yaml")}
    held = {name for name in contents(wheel) if ".dist-info/" not in name}
    model = {f"saga_sr/models/{DEFAULT}/{name}" for name in ("config.yaml", "model.safetensors", "README.md")}
    static = {str(path.relative_to(ROOT)) for path in (ROOT / "saga_sr" / "app" / "static").iterdir()}
    assert held == modules | configurations | model | static | {"saga_sr/py.typed"}


def test_the_source_distribution_makes_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    hatchling = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path / "dist")]
    subprocess.run([*hatchling, "-t", "sdist"], cwd=source, check=True, capture_output=True)
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(tmp_path)], check=True)
    unpacked = tmp_path / archive.name.removesuffix(".tar.gz")
    subprocess.run([*hatchling, "-t", "wheel"], cwd=unpacked, check=True, capture_output=True)
    assert contents(tmp_path / "dist" / wheel.name) == contents(wheel)


def test_the_metadata_are_those_of_the_project(wheel: Path) -> None:
    from saga_sr import __version__

    stated = metadata(wheel)
    assert (stated["Name"], stated["Version"]) == ("saga-sr", __version__)
    assert (stated["License-Expression"], stated["Author"]) == ("MIT", "saga-sr developers")
    assert "Project-URL" not in stated and "Home-page" not in stated


def test_who_only_enhances_needs_few_packages(wheel: Path) -> None:
    needed = [line for line in metadata(wheel).get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {line.split(">")[0] for line in needed}
    assert len(names) <= 13
    assert not names & {"lightning", "torchaudio", "transformers", "diffusers", "matplotlib", "wandb"}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`saga-sr` of a fresh environment with the wheel, in a repository of the user's.

    What the package depends on is taken from the environment of the tests, instead of being downloaded again.
    """
    home = tmp_path_factory.mktemp("user")
    git = ["git", "-c", "user.name=user", "-c", "user.email=user@localhost"]
    subprocess.run([*git, "init", "-q"], cwd=home, check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "theirs"], cwd=home, check=True)
    venv.create(home / "venv")
    python = home / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", str(wheel)], check=True)
    (packages,) = (home / "venv" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return home / "venv" / "bin" / "saga-sr"


def run(installed: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    variables |= {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return subprocess.run([installed, *words], cwd=cwd, env=variables, capture_output=True, text=True, timeout=300)


def test_the_command_of_an_installed_package_lists_its_verbs(installed: Path, tmp_path: Path) -> None:
    python = installed.with_name("python")
    code = "import saga_sr, saga_sr.core.config as c; print(saga_sr.__file__, c.CONF_DIR, sep='\\n')"
    found = run(python, "-c", code, cwd=tmp_path).stdout.split()
    assert all(str(installed.parents[1]) in path for path in found) and found[1].endswith("saga_sr/conf")
    listed = run(installed, cwd=tmp_path)
    assert listed.returncode == 0
    for verb in ("train", "enhance", "measure", "evaluate", "prepare", "caption", "compare", "inspect", "export"):
        assert f"\n  {verb} " in listed.stdout


@pytest.mark.slow
def test_an_installed_package_enhances_with_the_model_that_it_brings(installed: Path, tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav", 0.1 * torch.randn(1, 20_000), 48_000)
    done = run(installed, "enhance", "in.wav", "out.wav", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert read_audio(tmp_path / "out.wav")[1] == 44_100


@pytest.mark.slow
def test_an_installed_package_trains(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "train", *QUICK, "trainer.max_steps=3", "hydra.run.dir=run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (record["status"], record["steps"], record["git"]) == ("finished", 3, {})
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()
