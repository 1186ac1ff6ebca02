"""The attempts of a run: each has its place in `run.json`, whether it ends well, ill, or without a word."""

from __future__ import annotations

import logging
import shutil
import uuid
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from saga_sr.core.run_folder import RUNNING, read_record
from saga_sr.training import record
from saga_sr.training.processes import is_first
from saga_sr.training.time_budget import RECORD as CLOCK
from saga_sr.weights.initialisation import REPORT as INIT_REPORT

logger = logging.getLogger(__name__)

# What a run writes beside its record; begun anew, it loses these.
CONTENTS = (
    *("checkpoints", "csv", "tensorboard", "wandb", "validation", "profile", "model", "config.yaml"),
    *(INIT_REPORT, CLOCK),
)
WITHOUT_A_WORD = "killed, or the machine went down"


def earlier_attempts(config: DictConfig, output: Path, checkpoint: Path | None) -> dict[str, Any] | None:
    """The record of the run in `output` that `config` goes on with, or begins again for want of a `checkpoint`.

    None where there is none, or another command's, of which nothing is to be kept.

    Raises:
        ConfigError: the run there has a checkpoint and other settings.
    """
    earlier = read_record(output) if config.resume != "never" else None
    if earlier and checkpoint and config.resume == "auto":
        record.check_same_settings(output, config)
    if earlier and not checkpoint and record.changed_settings(output, config):
        return None
    return earlier


def begin(config: DictConfig, output: Path, earlier: dict[str, Any] | None, checkpoint: Path | None) -> None:
    """Note that the run begins, goes on from `checkpoint`, or begins anew since what was there has none."""
    if not is_first():
        return
    overrides = list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []
    entry = record.new_record(overrides) | {"seed": config.seed, "id": uuid.uuid4().hex[:12]}
    began = entry["began"]
    history = [_ended(attempt) for attempt in earlier.get("history", [])] if earlier else []
    if earlier and checkpoint:
        entry |= {"began": earlier["began"], "id": earlier["id"]}
        logger.info("Going on from %s", checkpoint)
    elif earlier:
        logger.warning(
            "Attempt %d, begun at %s, left no whole checkpoint (%s); training begins anew.",
            earlier["attempts"], earlier.get("history", [earlier])[-1]["began"],
            (earlier.get("reason") or WITHOUT_A_WORD).rstrip("."),
        )  # fmt: skip
    if not (earlier and checkpoint):
        _clear(output, checkpoint)
    history.append({"began": began, "from": checkpoint.name if checkpoint else None})
    attempts = earlier["attempts"] + 1 if earlier else 1
    record.write_record(output, entry | {"attempts": attempts, "status": RUNNING, "history": history})
    OmegaConf.save(config, output / "config.yaml", resolve=True)


def end(output: Path, status: str, reason: str | None = None, **fields: Any) -> None:
    """Note how the attempt, and with it the run, ended."""
    if not is_first():
        return
    ended = {"status": status, "ended": record.now(), "reason": reason}
    *others, last = (read_record(output) or {}).get("history") or [{}]
    record.update_record(output, **fields, **ended, history=[*others, last | ended])


def _ended(attempt: dict[str, Any]) -> dict[str, Any]:
    unknown = {"status": "lost", "ended": None, "reason": WITHOUT_A_WORD}
    return attempt if "ended" in attempt else attempt | unknown


def _clear(output: Path, checkpoint: Path | None) -> None:
    """Remove what an earlier run wrote there, but not the `checkpoint` that this one starts from."""
    for path in (output / name for name in CONTENTS):
        if path != checkpoint and not (checkpoint and path in checkpoint.parents):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
