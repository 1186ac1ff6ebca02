"""Models that come with the installation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

import saga_sr
from saga_sr.cli.main import dispatch
from saga_sr.core.errors import PackageError
from saga_sr.files.tagging import read_metadata
from saga_sr.files.writing import write_audio
from saga_sr.packages import bundled
from saga_sr.packages.bundled import DEFAULT, MODELS
from saga_sr.packages.finding import find_model

LARGEST_MB = 25
OURS = sorted(path for path in MODELS.glob("*") if path.is_dir())


@pytest.fixture
def models(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundled models, the default and another, in the place of the installation's."""
    folder = tmp_path / "installation" / "models"
    for name in (DEFAULT, "another"):
        shutil.copytree(package, folder / name)
    monkeypatch.setattr(bundled, "MODELS", folder)
    return folder


@pytest.fixture
def none_bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "MODELS", tmp_path / "models")


def test_the_default_model_is_taken_where_none_is_named_and_any_by_its_name(models: Path) -> None:
    assert find_model(None) == find_model(DEFAULT) == models / DEFAULT
    assert find_model("another") == models / "another"
    assert saga_sr.load(device="cpu").name == DEFAULT


def test_a_path_goes_before_a_bundled_model_of_its_name(
    models: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(package, tmp_path / DEFAULT)
    assert find_model(DEFAULT).resolve() == tmp_path / DEFAULT
    assert find_model(None) == models / DEFAULT


@pytest.mark.parametrize("name", ["third", "../models/another", f"owner/../{DEFAULT}"])
def test_names_of_no_bundled_model_are_not_found(models: Path, name: str) -> None:
    with pytest.raises(PackageError, match="There is no model at"):
        find_model(name)


def test_enhance_and_evaluate_take_it_and_results_name_it(models: Path, tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav", 0.1 * torch.randn(1, 8000), 16_000)
    said, result = tmp_path / "run.json", tmp_path / "out.wav"
    dispatch(["enhance", str(tmp_path / "in.wav"), str(result), f"manifest={said}", "device=cpu"])
    assert json.loads(said.read_text())["model"] == DEFAULT
    assert f"model {DEFAULT}" in str(read_metadata(result, 44_100))
    dispatch(
        ["evaluate", f"output={tmp_path / 'evaluated'}", "clips=1", "seconds=1", "cutoffs_hz=[4000]", "device=cpu"]
    )
    assert str(models / DEFAULT) in (tmp_path / "evaluated" / "report.html").read_text()


@pytest.mark.usefixtures("none_bundled")
def test_an_installation_without_a_model_says_so_before_anything_is_done(tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav", torch.zeros(1, 8000), 16_000)
    for ask in (
        lambda: saga_sr.load(),
        lambda: dispatch(["enhance", str(tmp_path / "in.wav"), f"{tmp_path / 'restored'}/"]),
        lambda: dispatch(["evaluate", f"output={tmp_path / 'restored'}"]),
    ):
        with pytest.raises(PackageError, match="No model comes with this installation of saga-sr; give model=MODEL"):
            ask()
    assert not (tmp_path / "restored").exists()


@pytest.mark.skipif(not OURS, reason="no model has been committed yet")
def test_our_models_are_whole_and_of_at_most_25_mb_and_the_default_is_among_them() -> None:
    assert MODELS / DEFAULT in OURS
    for folder in OURS:
        assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= LARGEST_MB * 1_000_000
        restored, rate = saga_sr.load(folder, device="cpu")(torch.randn(4000), 8000, steps=1)
        assert rate == 44_100 and restored.isfinite().all()
        assert "license: unknown" not in (folder / "README.md").read_text()
