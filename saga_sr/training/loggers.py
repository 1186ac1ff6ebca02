"""Loggers that go on where an interrupted run left off.

wandb is imported only by runs that use it: that takes a second.
"""

from __future__ import annotations

import csv
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from saga_sr.core.run_folder import read_record

logger = logging.getLogger(__name__)
REACH_S = 3.0


class ContinuedCSVLogger(CSVLogger):
    """A `metrics.csv` that a resumed run adds to. Rows of repeated steps stand twice; the later ones count."""

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The writer, with the rows of earlier attempts kept."""
        if self._experiment is not None:
            return self._experiment
        path = Path(self.log_dir) / "metrics.csv"
        earlier = path.read_bytes() if path.is_file() else b""
        writer: Any = super().experiment  # begins anew
        # A kill can leave half a line.
        whole = earlier[: earlier.rfind(b"\n") + 1]
        if whole:
            path.write_bytes(whole)
            writer.metrics_keys = next(csv.reader(whole.decode().splitlines()))
        return writer


def wandb_logger(save_dir: str, **settings: Any) -> WandbLogger:
    """A wandb logger that goes on with the run in `save_dir`; without a key or a network it is offline, and says so.

    Jobs of a sweep are grouped by its folder's name.

    Args:
        save_dir: the run's folder.
        settings: of `WandbLogger` and `wandb.init` (project, name, group, tags, ...).
    """
    folder = Path(save_dir)
    entry = read_record(folder) or {}
    group = folder.parent.name if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN else None
    reason = _why_offline()
    if reason:
        logger.warning("wandb runs offline, since %s; upload later with: wandb sync %s/wandb/*", reason, save_dir)
    named = {"name": folder.name, "group": group} | settings
    mode = "offline" if reason else None
    return WandbLogger(save_dir=save_dir, id=entry.get("id"), resume="allow", mode=mode, **named)


def announce(loggers: list[Logger], config: dict[str, Any]) -> None:
    """Tell the loggers that take them the settings of the run."""
    for entry in loggers:
        if isinstance(entry, WandbLogger):
            entry.log_hyperparams(config)


def publish(loggers: list[Logger], package: Path) -> None:
    """Give the loggers that take them the model package, as a versioned artifact."""
    for entry in loggers:
        if isinstance(entry, WandbLogger):
            import wandb

            artifact = wandb.Artifact(f"model-{entry.version}", type="model")
            artifact.add_dir(str(package))
            entry.experiment.log_artifact(artifact)


def finish(failed: bool) -> None:
    """Close what is open for the run: the next one of a sweep begins in the same process."""
    wandb = sys.modules.get("wandb")
    if wandb is not None and wandb.run is not None:
        wandb.finish(exit_code=int(failed))


def _why_offline() -> str | None:
    import wandb

    if os.environ.get("WANDB_MODE"):
        return None
    if not wandb.api.api_key:
        return "no key is set (wandb login, or WANDB_API_KEY)"
    address = urlparse(os.environ.get("WANDB_BASE_URL") or wandb.Settings().base_url)
    try:
        port = address.port or (80 if address.scheme == "http" else 443)
        socket.create_connection((address.hostname or "", port), REACH_S).close()
    except OSError:
        return f"{address.hostname} cannot be reached"
    return None
