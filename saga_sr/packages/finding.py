"""Where a model's files are, and which they are. Imports no torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

from saga_sr.core.content import sha256_of
from saga_sr.core.errors import PackageError
from saga_sr.core.run_folder import is_run, is_sharded, newest_whole
from saga_sr.core.storage import is_address, to_path
from saga_sr.packages import elsewhere, hub
from saga_sr.packages.bundled import DEFAULT, bundled_model, default_model
from saga_sr.packages.layout import ASSETS, is_package

ACCEPTED = (
    "a model package, a run folder, a checkpoint (RUN/checkpoints/step-N.ckpt), a hub's owner/name or a package's "
    "address (s3://bucket/package)"
)


def find_model(source: str | Path | None) -> Path:
    """The package's folder or the checkpoint that `source` means; what a hub or object storage has is fetched.

    What is there as a path goes before a bundled model of that name, and both before a hub.

    Args:
        source: None is the bundled model that is taken where none is named.

    Raises:
        PackageError: there is nothing.
        ConfigError, ExtraError: an address that nothing installed can read.
    """
    if source is None:
        return default_model()
    if is_address(source):
        return elsewhere.fetch(str(source))
    path = to_path(source).expanduser()
    if not path.exists():
        bundled = bundled_model(str(source))
        if bundled is not None:
            return bundled
        if hub.is_name(str(source)) and not Path(str(source).split("/")[0]).exists():
            return hub.fetch(str(source))
        raise PackageError(f"There is no model at {source}; give {ACCEPTED}.")
    if path.is_file():
        # The weights of a package stand for it.
        return path.parent if path.suffix == ".safetensors" and is_package(path.parent) else path
    if not is_run(path):
        return path
    if is_package(path / "model"):
        return path / "model"
    checkpoint = newest_whole(path / "checkpoints")
    if checkpoint is None:
        raise PackageError(f"The run {path} has neither a model nor a checkpoint yet; wait until it has saved one.")
    return checkpoint


def model_name(source: str | Path | None) -> str:
    """What the model that `source` means, see `find_model`, is called in the tags of results."""
    return DEFAULT if source is None else Path(source).name


def signature(model: Path) -> str:
    """What tells the files at `model`, see `find_model`, from others without reading them: names, sizes and times."""
    said = [f"{path.absolute()} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in _files(model)]
    return hashlib.sha256("\n".join(said).encode(errors="surrogateescape")).hexdigest()


def digest(model: Path) -> str:
    """What tells the model at `model` from others: the content of what it is loaded from."""
    parts = [f"{path.relative_to(model)} {sha256_of(path)}" for path in _files(model)]
    return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()


def _files(model: Path) -> list[Path]:
    if model.is_file():
        return [model]
    if is_sharded(model):
        return sorted(model.iterdir())
    assets = sorted(path for path in (model / ASSETS).rglob("*") if path.is_file())
    return [path for path in (model / "config.yaml", model / "model.safetensors") if path.is_file()] + assets
