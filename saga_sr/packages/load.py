"""The one door for models: what `model=` and `saga_sr.load` may be given, and how it is opened."""

from __future__ import annotations

from pathlib import Path

from saga_sr.core.errors import PackageError
from saga_sr.core.imports import extras_named
from saga_sr.core.run_folder import is_run, newest_whole
from saga_sr.model import SuperResolver
from saga_sr.packages import hub
from saga_sr.packages.checkpoint import load_checkpoint
from saga_sr.packages.package import is_package, load_package

ACCEPTED = "a model package, a run folder, a checkpoint (RUN/checkpoints/step-N.ckpt) or a hub's owner/name"


def load_model(source: str | Path, device: str = "cpu") -> SuperResolver:
    """Read a model from anywhere, in evaluation mode.

    Args:
        source: a model package's folder; a run's folder, its `model/` or else its newest whole checkpoint; a
            checkpoint, of which averaged weights are taken where there are; or `owner/name` or `owner/name@revision` on
            a hub.

    Raises:
        PackageError: nothing of these, or it is incomplete, damaged or asks for code outside the model's rooms.
        WeightsError: a damaged checkpoint.
        ExtraError: a package that the model needs is not installed.
    """
    path = find_model(source)
    with extras_named():
        return load_package(path, device) if path.is_dir() else load_checkpoint(path).model.to(device)


def find_model(source: str | Path) -> Path:
    """The package's folder or the checkpoint that `source` means; what a hub has is fetched.

    Raises:
        PackageError: there is nothing.
    """
    path = Path(source).expanduser()
    if not path.exists():
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
