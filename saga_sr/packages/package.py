"""Model packages: a folder with `config.yaml`, `model.safetensors` and `README.md` that holds a whole `SuperResolver`.

Networks from elsewhere that the model uses as they are (a codec, a text encoder) are copied into `assets/`, by the name
of the part whose setting `path` they are.

A package may come from a stranger: weights are read with safetensors, the configuration can only name classes of this
package's model rooms and what the user called his own code, and a `path` can only lead into the package.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, cast

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from saga_sr.core.errors import PackageError, SagaError
from saga_sr.core.utf8_path import utf8_path
from saga_sr.core.version import __version__
from saga_sr.model import SuperResolver
from saga_sr.packages.folders import taking_the_place_of
from saga_sr.packages.layout import ASSETS
from saga_sr.packages.own_code import VARIABLE, is_own
from saga_sr.packages.verification import check_same

ROOMS = ("saga_sr.codecs.", "saga_sr.backbones.", "saga_sr.conditioning.", "saga_sr.flow.", "saga_sr.model.")

# Where classes are now that packages of earlier versions name elsewhere.
MOVED = {
    "saga_sr.conditioning.numbers.DurationCondition": "saga_sr.conditioning.duration.DurationCondition",
    "saga_sr.conditioning.numbers.RolloffCondition": "saga_sr.conditioning.rolloff.RolloffCondition",
}


def find_class(target: str) -> type:
    """The class that `target` names, if it is defined in one of the model's rooms, or is the user's own.

    Raises:
        PackageError: anything else.
    """
    if is_own(target):
        if not isinstance(found := _find(target), type):
            raise PackageError(
                f"The model is made of your own '{target}', which cannot be imported here; install it, or add the "
                "folder that it is in to PYTHONPATH."
            )
        return found
    if not target.startswith(ROOMS):
        raise PackageError(
            f"The model package asks for '{target}', which is not part of the saga_sr model classes; do not use this "
            f"package unless you trust its author, and if the code is yours, say so: {VARIABLE}={target.split('.')[0]}."
        )
    found = _find(MOVED.get(target, target))
    if not isinstance(found, type) or not f"{found.__module__}.".startswith(ROOMS):
        raise PackageError(
            f"The model package asks for '{target}', which saga_sr {__version__} does not have; "
            "use the version named in the package's config.yaml."
        )
    return found


def _find(target: str) -> Any:
    module_name, _, name = target.rpartition(".")
    try:
        return getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError):
        return None


def build(config: Any) -> Any:
    """Make the objects of a resolved configuration: a mapping with `_target_` becomes that class's instance.

    Raises:
        PackageError: a class outside the model's rooms, or arguments that it does not take.
    """
    if isinstance(config, list):
        return [build(item) for item in config]
    if not isinstance(config, dict):
        return config
    arguments = {key: build(value) for key, value in config.items() if key != "_target_"}
    if "_target_" not in config:
        return arguments
    found = find_class(str(config["_target_"]))
    try:
        return found(**arguments)
    except TypeError as error:
        raise PackageError(
            f"The model package's settings do not fit {found.__name__} ({error}); "
            "use the version of saga_sr named in its config.yaml."
        ) from error


def save_package(
    model: SuperResolver, config: dict[str, Any], folder: Path, card: str, dtype: torch.dtype = torch.float32
) -> Path:
    """Write `model` as a package, and put it in place once it enhances a clip as `model` does.

    Args:
        config: the resolved configuration of the model, with `_target_`s.
        card: the text of the package's README.md.
        dtype: that parameters are stored in; statistics and other buffers stay as they are.

    Raises:
        PackageError: a weight that is not finite or does not fit into `dtype`, or what was written is not the model.
    """
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    for name, _ in model.named_parameters():
        weights[name] = _stored(name, weights[name], dtype)
    with taking_the_place_of(folder) as aside:
        with utf8_path(aside / "model.safetensors") as writable:
            save_file(weights, writable)
        settings = {"saga_sr": __version__, "model": _save_assets(model, config, aside)}
        (aside / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
        (aside / "README.md").write_text(card)
        device = str(next(model.parameters()).device)
        check_same(model, load_package(aside, device), dtype)
    return folder


def _stored(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """`tensor` as it is stored.

    Raises:
        PackageError: it is not finite, or no longer so in `dtype`.
    """
    if not tensor.isfinite().all():
        raise PackageError(
            f"{name} is not finite, so the training has gone wrong by this step; export an earlier checkpoint."
        )
    stored = tensor.to(dtype)
    if not stored.isfinite().all():
        raise PackageError(
            f"{name} reaches {float(tensor.abs().max()):.3g}, which {str(dtype).removeprefix('torch.')} cannot hold; "
            "export with dtype=bfloat16 or float32."
        )
    return stored


def load_package(path: str | Path, device: str = "cpu") -> SuperResolver:
    """Read the model package at `path`, in evaluation mode.

    Raises:
        PackageError: it is missing, incomplete, truncated, or asks for code outside the model's rooms.
    """
    folder = Path(path)
    config = read_config(folder)
    try:
        model = build(_with_assets(config["model"], folder))
    except PackageError:
        raise
    except SagaError as error:
        raise PackageError(f"The model package {folder} has settings that do not fit: {error}") from error
    if not isinstance(model, SuperResolver):
        raise PackageError(f"{folder / 'config.yaml'} does not describe a SuperResolver; export the model again.")
    weights = folder / "model.safetensors"
    try:
        with utf8_path(weights) as readable:
            model.load_state_dict(load_file(readable))
    except (SafetensorError, OSError) as error:
        raise PackageError(
            f"{weights} cannot be read ({_first_line(error)}), it is truncated or damaged; "
            "copy or export the package again."
        ) from error
    except RuntimeError as error:
        raise PackageError(
            f"{weights} does not fit {folder / 'config.yaml'} ({_first_line(error)}); export the package again."
        ) from error
    return model.eval().to(device)


def _save_assets(model: SuperResolver, config: Any, folder: Path, part: tuple[str, ...] = ()) -> Any:
    """`config` with each `path` replaced by that of a copy within the package at `folder`."""
    if not isinstance(config, dict):
        return config
    saved = {key: _save_assets(model, value, folder, (*part, key)) for key, value in config.items()}
    if config.get("path") is not None:
        saved["path"] = f"{ASSETS}/{'.'.join(part)}"
        (folder / ASSETS).mkdir(exist_ok=True)
        cast(Any, model.get_submodule(".".join(part))).save_pretrained(folder / saved["path"])
    return saved


def model_settings(folder: Path) -> dict[str, Any]:
    """The resolved configuration of the model in a package, with classes and assets as they are here, for another.

    Raises:
        PackageError: see `read_config`; or it asks for more than values and classes of the model's rooms.
    """
    return _named_as_here(_with_assets(read_config(folder)["model"], folder))


def _named_as_here(config: Any) -> Any:
    if isinstance(config, list):
        return [_named_as_here(item) for item in config]
    if "${" in config if isinstance(config, str) else isinstance(config, dict) and any(map(_is_special, config)):
        raise PackageError(
            "The model package's settings are more than values, which could do anything here; do not use it unless you "
            "trust its author, and have it exported again."
        )
    if not isinstance(config, dict):
        return config
    found = {key: _named_as_here(value) for key, value in config.items()}
    if "_target_" in config:
        here = find_class(str(config["_target_"]))
        found["_target_"] = f"{here.__module__}.{here.__qualname__}"
    return found


def _is_special(key: Any) -> bool:
    """Whether Hydra reads a key of a configuration as more than an argument's name."""
    return str(key).startswith("_") and key != "_target_"


def _with_assets(config: Any, folder: Path) -> Any:
    """`config` with each `path` leading into the package at `folder`.

    Raises:
        PackageError: one that leads out of it.
    """
    if isinstance(config, list):
        return [_with_assets(item, folder) for item in config]
    if not isinstance(config, dict):
        return config
    found = {key: _with_assets(value, folder) for key, value in config.items()}
    if config.get("path") is not None:
        path = (folder / str(config["path"])).resolve()
        if (folder / ASSETS).resolve() not in path.parents:
            raise PackageError(
                f"The model package {folder} points to {config['path']}, outside its own {ASSETS}/; do not use it "
                "unless you trust its author, and have it exported again."
            )
        found["path"] = str(path)
    return found


def read_config(folder: Path) -> dict[str, Any]:
    """What the package at `folder` says of its model, without making anything of it.

    Raises:
        PackageError: it is missing, incomplete or damaged.
    """
    if not folder.is_dir():
        raise PackageError(f"There is no model package at {folder}; give the folder that holds config.yaml.")
    for name in ("config.yaml", "model.safetensors"):
        if not (folder / name).is_file():
            raise PackageError(
                f"The model package {folder} has no {name}; give a folder written by training, or copy it whole."
            )
    try:
        config = yaml.safe_load((folder / "config.yaml").read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PackageError(
            f"{folder / 'config.yaml'} is not valid YAML ({_first_line(error)}); copy or export the package again."
        ) from error
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise PackageError(f"{folder / 'config.yaml'} does not describe a model; export the package again.")
    return config


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
