"""What imports cost, and what an installation leaves out."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from saga_sr.core.errors import ExtraError

# The modules without which nothing goes, and what installs each; those first that others of them import.
NEEDED = {
    "numpy": "numpy",
    "yaml": "pyyaml",
    "tqdm": "tqdm",
    "omegaconf": "omegaconf",
    "hydra": "hydra-core",
    "torch": "torch",
    "scipy": "scipy",
    "safetensors": "safetensors",
    "einops": "einops",
    "soundfile": "soundfile",
    "av": "av",
    "mutagen": "mutagen",
    "huggingface_hub": "huggingface-hub",
}
# Which extra of the installation (pyproject.toml) brings a module.
EXTRAS = {
    "fastapi": "app",
    "gradio": "app",
    "uvicorn": "app",
    "lightning": "train",
    "litdata": "train",
    "matplotlib": "train",
    "PIL": "train",
    "tensorboard": "train",
    "diffusers": "saga",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "s3fs": "s3",
    "transformers": "saga",
    "upath": "s3",
    "pesq": "metrics",
    "psutil": "app",
    "pystoi": "metrics",
    "ray": "cluster",
    "starlette": "app",
    "visqol": "metrics",
    "wandb": "wandb",
}


def missing_extra(error: BaseException) -> ExtraError | None:
    """What to install if `error` is that a module of an extra, or one that all need, is not there."""
    module = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if module in NEEDED:
        return ExtraError(
            f"{module} is not installed, without which nothing goes; pip install {NEEDED[module]}, and ask saga-sr "
            "doctor what else is wrong."
        )
    if module not in EXTRAS:
        return None
    return ExtraError(f"{module} is not installed; this needs pip install 'saga-sr[{EXTRAS[module]}]'.")


@contextmanager
def extras_named() -> Iterator[None]:
    """Whoever lacks a module within is told the command that installs it.

    Raises:
        ExtraError: a module of an extra, or one that all need, is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        extra = missing_extra(error)
        if extra is None:
            raise
        raise extra from error


@contextmanager
def importing() -> Iterator[None]:
    """For a program's imports: nothing that they make is garbage, so nothing is searched for any.

    Neither now nor later, at the program's end in particular: that takes a quarter of the time of a program that only
    imports torch.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
