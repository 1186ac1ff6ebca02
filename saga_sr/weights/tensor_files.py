"""Files of tensors from anywhere, opened without running what is in them."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from saga_sr.core.errors import WeightsError
from saga_sr.core.sharded_checkpoint import join
from saga_sr.core.utf8_path import utf8_path

Tensors = dict[str, Tensor]


def load_tensors(path: Path) -> Tensors:
    """The tensors in a file, without what lies around them in a checkpoint.

    Raises:
        WeightsError: a damaged file, or one without tensors.
    """
    state = load_saved(path)
    while isinstance(state, dict) and not any(isinstance(value, Tensor) for value in state.values()):
        state = next((state[name] for name in ("state_dict", "model") if isinstance(state.get(name), dict)), None)
    if not isinstance(state, dict):
        raise WeightsError(f"{path} holds no tensors; give a checkpoint of Stable Audio or SAGA-SR.")
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def load_saved(path: Path) -> Any:
    """All that is in a file, or in a checkpoint in parts.

    Of a pickle only tensors and plain values are taken, and no code of it runs.

    Tensors are read from the disk only where they are looked at, but for pickles of PyTorch before 1.6.

    Raises:
        WeightsError: a damaged file.
    """
    try:
        if path.is_dir():
            return join(path)
        if path.suffix == ".safetensors":
            with utf8_path(path) as readable:
                return load_file(readable)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        # PyTorch's reason is a page of advice to trust the file.
        raise WeightsError(
            f"{path} cannot be read: it is damaged, or holds more than tensors, which could be code; copy it again, or "
            "save its weights as safetensors."
        ) from error
    except Exception as error:
        # Both readers raise whatever broken bytes lead them to.
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise WeightsError(f"{path} cannot be read ({reason}); it is missing or truncated: copy it again.") from error
