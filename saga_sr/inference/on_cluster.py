"""Jobs done on the machines of a Ray cluster; what is made does not depend on where, nor on how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from saga_sr.core.cluster import ATTEMPTS, Cluster, share
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.jobs import Job
from saga_sr.inference.observer import Done, Observer
from saga_sr.inference.restoring import do_jobs, load_enhancer


def do_on_cluster(config: DictConfig, jobs: Sequence[Job], observer: Observer) -> None:
    """Do `jobs` on the cluster that `config` names; one that fails is told, and the others are done.

    Raises:
        DiskError: nothing more can be written.
        SagaError: the model or the cluster cannot be used.
    """
    # Workers stand in folders of their own.
    config = config.copy()
    if config.model is not None and Path(config.model).exists():
        config.model = str(Path(config.model).absolute())
    asked = {Job(job.source.absolute(), job.target.absolute()): job for job in jobs}

    def ended(job: Job, came: Done | str) -> None:
        if isinstance(came, str):
            observer.failed(asked[job], came)
        else:
            observer.done(asked[job], came)

    def lost(job: Job) -> None:
        observer.failed(
            asked[job],
            f"{job.source} is not enhanced: {ATTEMPTS} workers have ended with it, perhaps for want of memory; give a "
            "shorter chunk_s, or batch_size=1.",
        )

    cluster = Cluster(config.address, config.jobs, config.device)
    work = Restorer(OmegaConf.to_container(config))
    share(work, [*asked], cluster, begun=lambda job: observer.begun(asked[job]), ended=ended, lost=lost)


@dataclass
class Restorer:
    """Does jobs in a worker of a cluster, with a model that is loaded for the first."""

    config: Any

    @cached_property
    def enhancer(self) -> Enhancer:
        """The model and how it is used."""
        return load_enhancer(OmegaConf.create(self.config))

    def __call__(self, job: Job) -> Done | str:
        """What was done, or why it could not be."""
        heard = _Outcome()
        do_jobs(self.enhancer, [job], heard)
        assert heard.came is not None
        return heard.came


class _Outcome:
    """Keeps what came of a job; an `Observer`."""

    def __init__(self) -> None:
        self.came: Done | str | None = None

    def begun(self, job: Job) -> None:
        """Known where it was given."""

    def progress(self, job: Job, done_s: float, total_s: float) -> None:
        """Whole files alone are told of."""

    def done(self, job: Job, done: Done) -> None:
        """See `Observer`."""
        self.came = done

    def failed(self, job: Job, reason: str) -> None:
        """See `Observer`."""
        self.came = reason
