"""Model packages by their addresses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fsspec import filesystem

from saga_sr.core.errors import PackageError
from saga_sr.packages import elsewhere
from saga_sr.packages.finding import digest, find_model, model_name

pytest.importorskip("upath")


@pytest.fixture
def store(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Object storage with a package in it, beside what is none of its files."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    memory = filesystem("memory")
    memory.store.clear()
    memory.put(f"{package}/", "/models/mine/", recursive=True)
    memory.pipe_file("/models/mine/assets/text/tokens.json", b"{}")
    memory.pipe_file("/models/mine/training.log", b"long")
    return memory


def test_a_package_is_fetched_once_for_each_state_that_it_is_in(
    store: Any, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_model("memory://models/mine")
    assert found.parent == tmp_path / "cache/saga-sr" and model_name("memory://models/mine") == "mine"
    names = {path.relative_to(found).as_posix() for path in found.rglob("*") if path.is_file()}
    assert names == {"config.yaml", "model.safetensors", "README.md", "assets/text/tokens.json"}
    assert (found / "model.safetensors").read_bytes() == (package / "model.safetensors").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(elsewhere, "folder_aside", None)
        assert find_model("memory://models/mine") == found
    store.pipe_file("/models/mine/assets/text/tokens.json", b"{1}")
    again = find_model("memory://models/mine")
    assert again != found and digest(again) != digest(found)
    assert {path.name for path in (tmp_path / "cache/saga-sr").iterdir()} == {found.name, again.name}
    assert find_model(f"file://{package}") == package


def test_nothing_is_written_outside_the_package(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = ["text/tokens.json", "../../outside", "text//tokens.json", "folder/", "./text/tokens.json"]
    monkeypatch.setattr(elsewhere, "names_below", lambda folder: named)
    found = find_model("memory://models/mine")
    assert [path.relative_to(found).as_posix() for path in (found / "assets").rglob("*.*")] == [
        "assets/text/tokens.json"
    ]


def test_what_is_no_package_or_breaks_off_is_told(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("memory://models", "memory://models/gone", "memory://models/mine/model.safetensors"):
        with pytest.raises(PackageError, match=f"{address} is no model package of saga-sr"):
            find_model(address)

    def broken(*files: Any) -> None:
        raise OSError(None, "The connection was lost")

    monkeypatch.setattr(elsewhere.shutil, "copyfileobj", broken)
    with pytest.raises(PackageError, match=r"memory://models/mine cannot be fetched \(The connection was lost\)"):
        find_model("memory://models/mine")
    assert not [*(tmp_path / "cache/saga-sr").iterdir()]
