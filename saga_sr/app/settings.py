"""What a running app may do, and how much of it a user may ask for. Imports neither torch nor Gradio."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from saga_sr.core.errors import ConfigError


@dataclass(frozen=True)
class AppSettings:
    """See `conf/app.yaml`.

    Attributes:
        read, write: folders, absolute and without links.

    Raises:
        ConfigError: a folder that is not there, or a number that is not possible.
    """

    host: str
    port: int
    open: bool
    models: tuple[str, ...]
    read: tuple[Path, ...]
    write: tuple[Path, ...]
    device: str
    upload_mb: float
    length_s: float
    recordings: int
    compute_s: float | None
    keep_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ConfigError(f"port={self.port} is not possible; give 1024 to 65535, or 0 for any that is free.")
        for name in ("upload_mb", "length_s", "recordings", "compute_s", "keep_s"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"{name}={value:g} is not possible; give more than 0.")
        for folder in (*self.read, *self.write):
            if not folder.is_dir():
                raise ConfigError(f"There is no folder {folder}; read= and write= name folders that are there.")

    @property
    def is_public(self) -> bool:
        """Whether others than this machine can reach it."""
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True


def settings_of(config: DictConfig) -> AppSettings:
    """The settings that the configuration `conf/app.yaml` holds.

    Raises:
        ConfigError: see `AppSettings`.
    """
    values: dict[str, Any] = {entry.name: OmegaConf.select(config, entry.name) for entry in fields(AppSettings)}
    values["models"] = tuple(map(str, _listed(values["models"])))
    for name in ("read", "write"):
        values[name] = tuple(Path(folder).expanduser().resolve() for folder in _listed(values[name]))
    return AppSettings(**values)


def _listed(value: Any) -> list[Any]:
    return list(value) if OmegaConf.is_list(value) else [value] if value is not None else []
