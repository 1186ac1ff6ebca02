"""Jobs done one after the other, by a model in this process."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from omegaconf import DictConfig

from saga_sr.core.content import sha256_of
from saga_sr.core.errors import DiskError, SagaError
from saga_sr.core.hardware import keep_memory, pick_device
from saga_sr.core.storage import reaching, reason_of
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.jobs import Job
from saga_sr.inference.observer import Done, Observer
from saga_sr.inference.record import Content
from saga_sr.inference.settings import settings_of
from saga_sr.inference.summary import restoring
from saga_sr.packages.finding import model_name
from saga_sr.packages.load import load_model

logger = logging.getLogger(__name__)


def load_enhancer(config: DictConfig) -> Enhancer:
    """The model `config.model` (the bundled one if None) on `config.device`, with the settings `config.enhance`.

    Raises:
        PackageError: the package cannot be read.
        ConfigError: settings that there are not.
    """
    settings = settings_of(config.enhance)
    device = pick_device(config.device)
    if device.type == "cpu":
        keep_memory()
    return Enhancer(load_model(config.model).to(device), settings, model_name(config.model))


def do_jobs(enhancer: Enhancer, jobs: Iterable[Job], observer: Observer) -> None:
    """Do each of `jobs` in turn; one that fails is told, and the others are done.

    Raises:
        DiskError: nothing more can be written.
    """
    for job in jobs:
        observer.begun(job)
        try:
            done = restore(enhancer, job, observer)
        except DiskError:
            raise
        except Exception as error:
            observer.failed(job, reason_of_failure(error, job.source))
        else:
            observer.done(job, done)


def restore(enhancer: Enhancer, job: Job, observer: Observer) -> Done:
    """Do one job.

    Raises:
        Exception: it cannot be done.
    """
    with reaching(job.source):
        # A file that is no recording is told by whoever reads it.
        content = Content.unread(job.source) if job.source.is_file() else None
    with enhancer.open(job.source, progress=lambda done_s, total_s: observer.progress(job, done_s, total_s)) as opened:
        if content is not None:
            content = replace(content, sha256=sha256_of(opened.source))
        done = enhancer.save(opened, job.target)
    edges = [
        [{"begin_s": round(e.begin_s, 3), "end_s": round(e.end_s, 3), "hz": round(e.hz, 1)} for e in channel]
        for channel in done.edges
    ]
    line = restoring(done.edges, enhancer.sample_rate, done.heard)
    return Done(content or Content(str(job.source), 0, 0, ""), done.duration_s, edges, list(done.notes), line)


def reason_of_failure(error: Exception, source: Path) -> str:
    """Why the recording `source` could not be enhanced, in a sentence; what no user can mend is logged, too."""
    if isinstance(error, SagaError):
        return str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return f"{source} needs more memory than there is; give a shorter chunk_s, or batch_size=1."
    if isinstance(error, OSError):
        return f"{source} cannot be enhanced ({reason_of(error)}); see to the file and its disk."
    logger.error("An error of the program, with %s:", source, exc_info=error)
    said = (str(error).splitlines() or [""])[0]
    return f"{source} cannot be enhanced ({type(error).__name__}: {said}); please report it, with what is above."
