"""What a model package is made of. Imports no torch."""

from __future__ import annotations

from pathlib import Path

ASSETS = "assets"
# Those without which it is none, and all.
NEEDED = ("config.yaml", "model.safetensors")
FILES = (*NEEDED, "README.md", ASSETS)


def is_package(path: Path) -> bool:
    """Whether a folder with a configuration and weights, whole or not, is at `path`."""
    return all((path / name).is_file() for name in NEEDED)
