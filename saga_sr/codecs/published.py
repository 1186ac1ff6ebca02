"""Networks of diffusers and transformers in folders, as their `save_pretrained` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from saga_sr.core.errors import WeightsError


def check_folder(folder: Path, name: str, mend: str) -> None:
    """See whether `folder` holds a network of the class `name`, before it is read.

    Args:
        mend: what to do where it does not.

    Raises:
        WeightsError: it does not.
    """
    if not folder.is_dir():
        raise WeightsError(f"There is no folder {folder}, and nothing is downloaded; {mend}.")
    if not (folder / "config.json").is_file():
        raise WeightsError(f"{folder} holds no {name}, since it has no config.json; {mend}.")
    try:
        config = json.loads((folder / "config.json").read_text())
    except ValueError as error:
        raise WeightsError(
            f"{folder / 'config.json'} is not valid JSON ({error}), it is truncated or damaged; copy the folder again."
        ) from error
    stated = _class_in(config)
    if stated != name:
        raise WeightsError(f"{folder / 'config.json'} describes {stated}, not an {name}; {mend}.")
    if not any(folder.glob("*.safetensors")):
        raise WeightsError(
            f"{folder} holds no safetensors weights, and pickled ones are not opened since they can run code; "
            "copy the .safetensors file there."
        )


def _class_in(config: Any) -> Any:
    """The class that a configuration of diffusers, or of transformers, is of."""
    if not isinstance(config, dict):
        return None
    architectures = config.get("architectures")
    return architectures[0] if architectures else config.get("_class_name")


def load_network(kind: Any, folder: Path, mend: str, **options: Any) -> Any:
    """A network of the class `kind` in `folder`; nothing is downloaded, and no pickle is opened.

    Args:
        options: of `from_pretrained`.

    Raises:
        WeightsError: it is missing, incomplete, damaged or something else.
    """
    check_folder(folder, kind.__name__, mend)
    try:
        network, report = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True, **options
        )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise WeightsError(
            f"The {kind.__name__} at {folder} cannot be read ({reason}), its files are truncated, damaged or do not "
            "belong together; copy the folder again."
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise WeightsError(
            f"The weights at {folder} lack {len(missing)} of the tensors of an {kind.__name__}, {missing[0]} among "
            "them; copy the folder again."
        )
    return network


def stored_dtype(folder: Path) -> torch.dtype:
    """The dtype of the weights in `folder`; float32 where it cannot be told."""
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, "pt") as tensors:
                names = list(tensors.keys())
                return tensors.get_tensor(names[0]).dtype if names else torch.float32
        except (OSError, SafetensorError):
            break
    return torch.float32
