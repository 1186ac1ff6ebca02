"""Enhance files and folders as a composed configuration says."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from omegaconf import DictConfig, ListConfig
from tqdm import tqdm

from saga_sr.core.errors import AudioError
from saga_sr.core.hardware import keep_memory, pick_device
from saga_sr.inference.enhancer import Enhanced, Enhancer
from saga_sr.inference.jobs import Job, plan_files
from saga_sr.inference.settings import settings_of
from saga_sr.inference.summary import restoring
from saga_sr.packages.load import load_model

logger = logging.getLogger(__name__)


def run(config: DictConfig) -> None:
    """Enhance `config.input`, a path or several, into `config.output` with the model `config.model`.

    A file that cannot be enhanced is named and passed over, and the others are done.

    Raises:
        SagaError: nothing can be done at all, or (at the end) some files could not be enhanced.
    """
    settings = settings_of(config.enhance)
    named = list(config.input) if isinstance(config.input, ListConfig) else [config.input]
    plan = plan_files(named, config.output, settings.format, config.name)
    for remark in plan.remarks:
        logger.info("%s", remark)
    enhance_files(load_enhancer(config), plan.jobs, plan.failures)


def load_enhancer(config: DictConfig) -> Enhancer:
    """The model `config.model` on `config.device`, with the settings `config.enhance`.

    Raises:
        PackageError: the package cannot be read.
        ConfigError: settings that there are not.
    """
    settings = settings_of(config.enhance)
    device = pick_device(config.device)
    if device.type == "cpu":
        keep_memory()
    return Enhancer(load_model(config.model).to(device), settings)


def enhance_files(enhancer: Enhancer, jobs: Sequence[Job], failures: Sequence[str] = ()) -> None:
    """Restore each of `jobs`; one that fails is named, and the others are done.

    Args:
        failures: what has failed already.

    Raises:
        AudioError: at the end, what failed.
    """
    failures = list(failures)
    for failure in failures:
        logger.warning("Skipped: %s", failure)
    total = len(jobs) + len(failures)
    begin, audio_s = time.perf_counter(), 0.0
    for job in jobs:
        try:
            done = _shown(enhancer, job)
        except AudioError as error:
            failures.append(str(error))
            if total > 1:
                logger.warning("Skipped: %s", error)
            continue
        audio_s += done.duration_s
        what = restoring(done.edges, enhancer.sample_rate, done.heard)
        logger.info("%s -> %s (%s)", job.source, job.target, what)
    seconds = time.perf_counter() - begin
    if total == 1 and failures:
        raise AudioError(failures[0])
    logger.info("%d of %d files, %.1f s of audio in %.1f s", total - len(failures), total, audio_s, seconds)
    if failures:
        raise AudioError(f"{len(failures)} of {total} files could not be enhanced: " + " ".join(failures))


def _shown(enhancer: Enhancer, job: Job) -> Enhanced:
    """Restore a file behind a bar of seconds."""
    with tqdm(desc=job.source.name, unit="s", delay=2, leave=False) as bar:

        def progress(done_s: float, total_s: float) -> None:
            bar.total = round(total_s, 1)
            bar.update(round(done_s, 1) - bar.n)

        return enhancer.file(job.source, job.target, progress=progress)
