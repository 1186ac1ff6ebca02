"""What a model package is made of. Imports no torch."""

from __future__ import annotations

from pathlib import Path

ASSETS = "assets"
FILES = ("config.yaml", "model.safetensors", "README.md", ASSETS)


def is_package(path: Path) -> bool:
    """Whether a folder with a configuration and weights, whole or not, is at `path`."""
    return (path / "config.yaml").is_file() and (path / "model.safetensors").is_file()
