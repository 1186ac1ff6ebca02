"""What is kept beside a run: what was asked for, by what code, and how it ended."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from saga_sr.core.atomic_file import write_atomically
from saga_sr.core.errors import ConfigError
from saga_sr.core.run_folder import RECORD, read_record
from saga_sr.training.processes import job_pid

PACKAGES = ("saga-sr", "torch", "torchaudio", "lightning", "hydra-core", "numpy", "scipy", "transformers", "wandb")
# What may differ when a run goes on: where it runs and what watches it, not what it computes.
MAY_DIFFER = ("trainer", "logger", "callbacks", "paths", "resume", "sweep", "validation", "task_name")


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write the record of the run in `folder`."""
    write_atomically(folder / RECORD, json.dumps(record, indent=1))


def update_record(folder: Path, **fields: Any) -> None:
    """Set `fields` of the record in `folder`."""
    write_record(folder, {**(read_record(folder) or {}), **fields})


def new_record(overrides: list[str]) -> dict[str, Any]:
    """A record of a run that begins now."""
    return {
        "began": now(),
        "overrides": overrides,
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "git": git_state(),
        "versions": {name: _version(name) for name in PACKAGES} | {"python": platform.python_version()},
        "machine": {"host": platform.node(), "system": platform.platform(), "pid": job_pid()},
    }


def git_state() -> dict[str, Any]:
    """Commit of the code that runs, and the files that differ from it; empty where it is of no repository.

    An installed package may lie in a repository of the user's.
    """
    root = Path(__file__).resolve().parents[2]
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None or _git(root, "ls-files", "--error-unmatch", __file__) is None:
        return {}
    changed = _git(root, "status", "--porcelain")
    return {"commit": commit.strip(), "changed": [line[3:] for line in (changed or "").splitlines()]}


def now() -> str:
    """The time, to the second, with its zone."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def changed_settings(folder: Path, config: DictConfig) -> list[str]:
    """Where `config` differs from that of the run in `folder` in what is computed, in words; empty where it does not,
    or there is none."""
    path = folder / "config.yaml"
    if not path.is_file():
        return []
    earlier, current = (_flat(OmegaConf.to_container(c)) for c in (OmegaConf.load(path), _resolved(config)))
    changed = sorted(key for key in earlier | current if earlier.get(key) != current.get(key))
    return [
        f"{key} was {earlier.get(key)}, is {current.get(key)}" for key in changed if key.split(".")[0] not in MAY_DIFFER
    ]


def check_same_settings(folder: Path, config: DictConfig) -> None:
    """Compare `config` with that of the run in `folder`.

    Raises:
        ConfigError: they differ in what is computed.
    """
    changed = changed_settings(folder, config)
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise ConfigError(
            f"{folder} holds an unfinished run with other settings ({', '.join(changed[:3])}{more}); say resume=never "
            "to begin it anew, or choose another folder with hydra.run.dir=..."
        )


def _resolved(config: DictConfig) -> DictConfig:
    return cast(DictConfig, OmegaConf.create(OmegaConf.to_container(config, resolve=True)))


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(config, dict):
        return {prefix: config}
    return {key: value for name, part in config.items() for key, value in _flat(part, _joined(prefix, name)).items()}


def _joined(prefix: str, name: Any) -> str:
    return f"{prefix}.{name}" if prefix else str(name)


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
