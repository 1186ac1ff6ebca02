"""Networks that are compiled before they are trained."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from torch import nn

from saga_sr.core.errors import ConfigError


def compile_network(network: nn.Module) -> None:
    """Compile each shape of its input once, and keep what is compiled for later runs.

    Raises:
        ConfigError: there is nothing here to compile with.
    """
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise ConfigError(f"trainer.compile=true needs a C++ compiler, and there is no {compiler}; install it.")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path.home() / ".cache" / "saga-sr" / "compiled"))
    network.compile(dynamic=False)
