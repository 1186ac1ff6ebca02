"""Models that users of the app name: what may be looked into, what is told of it, and what it becomes."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
import torch
import yaml
from conftest import awake, model_config
from safetensors.torch import load_file

from saga_sr.app.asking import Asked
from saga_sr.app.inspect_view import contents_html
from saga_sr.app.inspect_words import WORDS
from saga_sr.app.model_files import Conversion, ModelFiles
from saga_sr.app.models import Models
from saga_sr.app.train_words import WORDS as TRAIN_WORDS
from saga_sr.app.words import Words
from saga_sr.app.work_queue import WorkQueue
from saga_sr.app.workspace import Workspaces
from saga_sr.core.errors import ConfigError, PackageError, UsageError, WeightsError
from saga_sr.packages.package import build, load_package

ASKED = Asked("page", "user")
SCRIPT = "<img src=x onerror=alert(1)>"
TENSOR = "backbone.to_tokens.weight"


@pytest.fixture
def files(tmp_path: Path) -> ModelFiles:
    """Those of an app that may read and write in `tmp_path`/shared."""
    (tmp_path / "shared").mkdir()
    shared = [(tmp_path / "shared").resolve()]
    return ModelFiles(Models([], "cpu"), Workspaces(tmp_path / "root", 3600), WorkQueue(), shared, shared)


@pytest.fixture
def checkpoint(tmp_path: Path, files: ModelFiles) -> Path:
    """A checkpoint in a run, with averaged weights and raw ones that are twice as large."""
    config = model_config()
    model = awake(build(config))
    averaged = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    raw = {name: 2 * tensor for name, tensor in averaged.items()}
    path = tmp_path / "shared/run/checkpoints/step-7.ckpt"
    path.parent.mkdir(parents=True)
    (path.parents[1] / "config.yaml").write_text(yaml.safe_dump({"model": config}))
    torch.save({"state_dict": averaged, "current_model_state": raw, "global_step": 7}, path)
    return path


def upload(files: ModelFiles, root: Path, name: str, content: bytes) -> str:
    path = root / "root" / "a hash" / "file"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return files.add_upload(ASKED, str(path), name)


def test_the_model_that_comes_along_is_told_with_what_it_costs(files: ModelFiles) -> None:
    found = files.inspect(ASKED, "saga-sr-mini")
    assert found.contents.recognised.startswith("a model package") and found.card.startswith("---")
    assert {part.name for part in found.parts} == {"codec", "backbone"}
    assert sum(part.tensors for part in found.parts) == len(found.contents.entries)
    assert found.cost is not None
    (backbone,) = (part for part in found.parts if part.name == "backbone")
    assert sum(found.cost.parameters.values()) == backbone.numbers
    assert found.cost.sample_rate == load_package(files.source(ASKED, "saga-sr-mini").path).sample_rate
    assert files.inspect_command(ASKED, "saga-sr-mini") == "saga-sr inspect file=saga-sr-mini"


def test_only_what_lies_in_the_apps_folders_is_looked_into(files: ModelFiles, package: Path, tmp_path: Path) -> None:
    link, folder = tmp_path / "shared/link", tmp_path / "shared/model"
    link.symlink_to(package)
    folder.mkdir()
    (folder / "config.yaml").symlink_to(package / "config.yaml")
    (folder / "model.safetensors").write_bytes((package / "model.safetensors").read_bytes())
    for named in (str(package), str(link), str(folder), "/etc/passwd", f"{tmp_path}/shared/..", "~", "owner/name"):
        with pytest.raises(UsageError, match="lies in no folder"):
            files.inspect(ASKED, named)
        with pytest.raises(UsageError, match="lies in no folder"):
            files.export_archive(ASKED, named, Conversion())
    with pytest.raises(UsageError, match="no such upload"):
        files.add_upload(ASKED, str(package / "model.safetensors"), "x.safetensors")


def test_uploads_are_their_owners_and_hostile_ones_are_a_sentence(files: ModelFiles, tmp_path: Path) -> None:
    endless: dict[str, object] = {}
    endless["again"] = endless
    torch.save(endless, tmp_path / "endless.ckpt")
    contents = {
        "empty.safetensors": b"",
        "header.safetensors": (2**31).to_bytes(8, "little") + b"{}",
        "pickle.ckpt": b"\x80\x04cos\nsystem\n(S'touch /tmp/saga-sr-was-here'\ntR.",
        "endless.ckpt": (tmp_path / "endless.ckpt").read_bytes(),
        f"../{SCRIPT.replace('/', '')}.pt": b"PK\x03\x04" + os.urandom(64),
    }
    for name, content in contents.items():
        called = upload(files, tmp_path, name, content)
        with pytest.raises(WeightsError) as caught:
            files.inspect(ASKED, called)
        assert str(caught.value).startswith(called) and str(tmp_path) not in str(caught.value)
        with pytest.raises(UsageError, match="lies in no folder"):
            files.inspect(Asked("another page", "user"), called)
    assert not Path("/tmp/saga-sr-was-here").exists()


def test_a_checkpoint_becomes_a_package_of_the_weights_and_type_asked_for(
    files: ModelFiles, checkpoint: Path, tmp_path: Path
) -> None:
    source = files.source(ASKED, str(checkpoint))
    assert source.can_be_exported and source.has_kinds
    assert "step 7" in files.inspect(ASKED, str(checkpoint)).contents.facts
    asked = Conversion(weights="raw", dtype="bfloat16", license="mit")
    target, notes = files.export(ASKED, str(checkpoint), asked, f"{tmp_path}/shared/made")
    stored = load_file(target / "model.safetensors")[TENSOR]
    raw = torch.load(checkpoint, weights_only=True)["current_model_state"][f"model.{TENSOR}"]
    assert notes == [] and torch.equal(stored, raw.bfloat16())
    assert "license: mit" in (target / "README.md").read_text()
    command = files.export_command(ASKED, str(checkpoint), asked, "made")
    assert command == f"saga-sr export {checkpoint} made weights=raw dtype=bfloat16 license=mit"
    for folder in (target, tmp_path / "shared"):
        with pytest.raises(UsageError, match="is there already"):
            files.export(ASKED, str(checkpoint), asked, str(folder))
    with pytest.raises(UsageError, match="lies in no folder"):
        files.export(ASKED, str(checkpoint), asked, str(tmp_path / "elsewhere"))


def test_for_download_it_is_a_whole_folder_in_an_archive(files: ModelFiles, checkpoint: Path, tmp_path: Path) -> None:
    archive, _ = files.export_archive(ASKED, str(checkpoint), Conversion())
    zipfile.ZipFile(archive).extractall(tmp_path / "out")
    assert load_package(tmp_path / "out/step-7-float32").sample_rate == 44_100
    assert sorted(path.name for path in archive.parent.iterdir()) == [archive.name]


def test_what_says_nothing_of_its_model_is_not_converted(files: ModelFiles, checkpoint: Path, tmp_path: Path) -> None:
    name = upload(files, tmp_path, "alone.ckpt", checkpoint.read_bytes())
    assert files.inspect(ASKED, name).contents.recognised.startswith("a checkpoint")
    with pytest.raises(UsageError, match=r"alone\.ckpt does not say what model it is of"):
        files.export_archive(ASKED, name, Conversion())
    with pytest.raises(ConfigError, match="format=pickle is not known"):
        Conversion(format="pickle")
    with pytest.raises(PackageError, match="describe a model"):
        (checkpoint.parents[1] / "config.yaml").write_text("[]")
        files.export_archive(ASKED, str(checkpoint), Conversion())


def test_names_of_tensors_and_files_are_never_markup(files: ModelFiles, tmp_path: Path) -> None:
    saved = {"state_dict": {f"model.backbone.{SCRIPT}": torch.zeros(2, 3)}, "global_step": 1}
    torch.save(saved, tmp_path / "x.ckpt")
    name = upload(files, tmp_path, f"{SCRIPT.replace('/', '')}.ckpt", (tmp_path / "x.ckpt").read_bytes())
    said = contents_html(name, files.inspect(ASKED, name), Words("en", TRAIN_WORDS, WORDS))
    assert "<img" not in said and "&lt;img" in said and "2 × 3" in said
