"""Networks that are compiled before they are trained."""

from __future__ import annotations

import os
import shutil

from torch import nn

from saga_sr.core.errors import ConfigError


def compile_network(network: nn.Module, accelerator: str, precision: str) -> None:
    """Compile each shape of its input once; PyTorch keeps what is compiled for later runs (`TORCHINDUCTOR_CACHE_DIR`).

    Args:
        accelerator: as PyTorch calls the device.
        precision: as Lightning calls it.

    Raises:
        ConfigError: there is nothing here to compile with.
    """
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise ConfigError(f"trainer.compile=true needs a C++ compiler, and there is no {compiler}; install it.")
    if accelerator == "cpu" and precision != "32-true":
        # What PyTorch 2.11 writes for a CPU in bfloat16 declares a variable twice.
        raise ConfigError(
            f"trainer.compile=true cannot compile trainer.precision={precision} for a CPU; "
            "add trainer.precision=32-true or leave it out."
        )
    network.compile(dynamic=False)
