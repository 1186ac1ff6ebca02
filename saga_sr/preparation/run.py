"""Encode recordings once, for training to read.

The same command again goes on with what is unfinished. The output is a folder, or an address of object storage.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import torch
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

from saga_sr.codecs.codec import Codec
from saga_sr.core.atomic_file import remove_left_behind
from saga_sr.core.cluster import Cluster, check_count, is_on_cluster
from saga_sr.core.errors import ConfigError, DataError
from saga_sr.core.hardware import pick_device
from saga_sr.core.storage import names_in, shared, workplace
from saga_sr.data.recordings import find_recordings
from saga_sr.data.shards import SUMMARY, TRAIN, VALIDATION
from saga_sr.preparation.engine import run_parts, run_parts_on_cluster
from saga_sr.preparation.finish import finish, missing_parts
from saga_sr.preparation.part import prepare_part
from saga_sr.preparation.plan import (
    Plan,
    Settings,
    check_same,
    make_plan,
    read_plan,
    writing,
)

logger = logging.getLogger(__name__)

# Seconds between two looks at what workers have done.
POLL = 2.0


def run(config: DictConfig) -> None:
    """Prepare what `config` names.

    Raises:
        SagaError: settings, audio or a disk that preparation cannot go on with; what is finished is kept.
    """
    output = shared(config.output).absolute()
    on_cluster = is_on_cluster(config)
    check_count("num_workers", config.num_workers)
    codec: Codec = instantiate(config.codec)
    settings = read_settings(config, codec)
    plan = the_plan(config, settings, output, clips_per_part(codec, settings))
    missing = missing_parts(output, plan)
    if not missing and SUMMARY in names_in(output):
        logger.info("%s is finished already.", output)
        return
    if missing:
        with nothing_left_behind(output), progress(output, plan):
            work = functools.partial(prepare_part, output=output, settings=settings, device=config.device)
            if on_cluster:
                run_parts_on_cluster(work, missing, Cluster(config.address, config.num_workers, config.device))
            else:
                run_parts(work, missing, min(number_of_workers(config), len(missing)))
    missing = missing_parts(output, plan)
    if missing:
        raise DataError(
            f"{len(missing)} of {len(plan.parts)} parts are not there; run the same command again for them."
        )
    with writing(output):
        summary = finish(output, plan)
    report(summary, output)


def read_settings(config: DictConfig, codec: Codec) -> Settings:
    """What decides the result."""
    names = [name for name in Settings.__dataclass_fields__ if name in config]
    composed = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.masked_copy(config, names), resolve=True))
    composed["conditions"] = measuring_conditions(config.conditioning)
    if composed["codec"].get("path"):
        # Workers, and whoever goes on, may be elsewhere.
        composed["codec"]["path"] = str(Path(composed["codec"]["path"]).absolute())
    composed["hop_length"] = codec.hop_length
    return Settings(**composed)


def measuring_conditions(conditioning: DictConfig) -> dict[str, str]:
    """The classes of the conditions that have to measure clips, by name. What they are set to is training's matter."""
    settings = cast(dict[str, Any], OmegaConf.to_container(conditioning, resolve=False))
    targets = {name: each["_target_"] for name, each in settings.items() if isinstance(each, dict)}
    return {name: target for name, target in targets.items() if cast(Any, get_class(target)).measures}


def clips_per_part(codec: Codec, settings: Settings) -> int:
    """How many clips make a shard of the size that is asked for.

    Raises:
        ConfigError: clips shorter than a frame of the codec.
    """
    frames = settings.num_samples // codec.hop_length
    if frames < 1:
        raise ConfigError(
            f"num_samples={settings.num_samples} is shorter than a frame of the codec; give at least "
            f"{codec.hop_length}."
        )
    size = (1 + settings.degradations) * codec.latent_dim * frames * getattr(torch, settings.dtype).itemsize
    return max(1, round(settings.shard_mb * 1e6 / size))


def the_plan(config: DictConfig, settings: Settings, output: Path, clips: int) -> Plan:
    """The plan that is there, if it is for the same job, or a new one."""
    recordings = find_recordings(config.data.path)
    held_out = find_recordings(config.data.validation_path) if config.data.validation_path else None
    with writing(output):
        plan = read_plan(output)
        if plan is None:
            return make_plan(recordings, held_out, config.data.captions, settings, output, clips)
    check_same(plan, settings, recordings, held_out, output)
    return plan


def number_of_workers(config: DictConfig) -> int:
    """One for each core, or for each GPU."""
    if config.num_workers is not None:
        return int(config.num_workers)
    if pick_device(config.device).type == "cuda":
        return torch.cuda.device_count()
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def nothing_left_behind(output: Path) -> Iterator[None]:
    """Remove what workers that were killed have left unfinished, those of before and those of meanwhile."""
    folders = {workplace(output / side / "shard") for side in (TRAIN, VALIDATION)}
    try:
        for folder in folders:
            remove_left_behind(folder)
        yield
    finally:
        for folder in folders:
            remove_left_behind(folder)


@contextmanager
def progress(output: Path, plan: Plan) -> Iterator[None]:
    """Show how much audio is done, and how fast it goes."""
    per_part = plan.seconds / len(plan.parts) / 3600
    ended = threading.Event()
    bar = tqdm(
        total=plan.seconds / 3600 + 1e-6,
        desc="Preparing",
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.2f}/{total:.2f} h of audio [{elapsed}<{remaining}{postfix}]",
    )

    def watch() -> None:
        waiting, begin = missing_parts(output, plan), time.monotonic()
        first = (len(plan.parts) - len(waiting)) * per_part
        last = False
        while not last:
            last = ended.wait(POLL)
            with suppress(DataError):  # it is only looked at
                waiting = missing_parts(output, plan)
            done = (len(plan.parts) - len(waiting)) * per_part
            rate = (done - first) / max((time.monotonic() - begin) / 60, 1e-9)
            bar.set_postfix_str(f"{rate:.2f} h of audio/min", refresh=False)
            try:
                bar.update(done - bar.n)
            except OSError:
                # Whoever read it has gone. tqdm keeps its lock then, and closing the bar would wait for it.
                bar.disable = True
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        bar.close()


def report(summary: dict[str, Any], output: Path) -> None:
    """Say what came of it."""
    for reason in summary["skipped"].values():
        logger.warning("Skipped: %s", reason)
    files, hours = summary["files"], summary["hours"]
    logger.info(
        "%.2f h of %d files for training and %.2f h of %d held out are in %s; %d files were skipped, or parts of them.",
        *(hours["train"], files["train"], hours["validation"], files["validation"], output, files["damaged"]),
    )
