"""Jobs shared by several processes, each with the model on a device; what is made does not depend on how many."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from omegaconf import DictConfig, OmegaConf

from saga_sr.core.errors import SagaError
from saga_sr.core.foreign_messages import hear_no_steps_of_clients
from saga_sr.core.termination import ends_in_order
from saga_sr.inference.jobs import Job
from saga_sr.inference.observer import Done, Observer

logger = logging.getLogger(__name__)

# A worker has this long to clear away what it has begun before it is killed.
GRACE_S = 30


class Worker:
    """A process that does one job after the other.

    Attributes:
        job: what it is doing.
    """

    def __init__(self, number: int, config: DictConfig) -> None:
        self.number = number
        self.job: Job | None = None
        # Of a process that was forked, threads and locks would be in any state.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, OmegaConf.to_container(config), number), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, job: Job | None) -> None:
        """Have `job` done, or the process ended."""
        self.job = job
        with suppress(OSError):  # of one that has ended, which is met where it is heard
            self.connection.send(job)

    def end(self) -> None:
        """End the process, in order if it can."""
        self.process.terminate()
        self.process.join(GRACE_S)
        self.process.kill()
        self.process.join()


def do_in_processes(config: DictConfig, jobs: Sequence[Job], observer: Observer, count: int) -> None:
    """Do `jobs` in `count` processes; one that fails is told, and the others are done.

    Raises:
        DiskError: nothing more can be written.
        SagaError: the model cannot be used.
    """
    waiting = deque(jobs)
    workers = [Worker(number, config) for number in range(1, count + 1)]
    alive = {worker.connection: worker for worker in workers}
    try:
        while alive:
            for connection in wait([*alive]):
                worker = alive[connection]  # type: ignore[index]
                if not _hear(worker, waiting, observer):
                    del alive[worker.connection]
    finally:
        for worker in workers:
            worker.end()
    for job in waiting:
        observer.failed(job, f"{job.source} is not enhanced, since no worker is left; run the same command again.")


def _hear(worker: Worker, waiting: deque[Job], observer: Observer) -> bool:
    """Take what a worker says, and give it what is waiting when it has time; whether more is to come from it.

    Raises:
        SagaError: what it cannot go on with.
    """
    try:
        kind, *said = worker.connection.recv()
    except (EOFError, OSError):
        _bury(worker, observer)
        return False
    job = worker.job
    if kind == "log":
        logger.log(said[0], "%s", said[1])
    elif kind == "error":
        raise said[0]
    elif kind == "progress" and job is not None:
        observer.progress(job, *said)
    else:
        if kind == "done" and job is not None:
            observer.done(job, *said)
        elif kind == "failed" and job is not None:
            observer.failed(job, *said)
        following = waiting.popleft() if waiting else None
        if following is not None:
            observer.begun(following)
        worker.give(following)
    return True


def _bury(worker: Worker, observer: Observer) -> None:
    """Tell of a worker that has ended, and of the job that it leaves."""
    worker.process.join()
    status = worker.process.exitcode
    if worker.job is None and status == 0:
        return
    why = f"signal {-status}" if status is not None and status < 0 else f"status {status}"
    logger.warning("Worker %d (process %d) has ended with %s.", worker.number, worker.process.pid, why)
    if worker.job is not None:
        memory = ", perhaps for want of memory" if status == -signal.SIGKILL else ""
        observer.failed(
            worker.job, f"{worker.job.source} is not enhanced: worker {worker.number} ended with {why}{memory}."
        )


class Teller:
    """Tells the process that gave a job how it goes on; an `Observer`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def begun(self, job: Job) -> None:
        """Known there."""

    def progress(self, job: Job, done_s: float, total_s: float) -> None:
        """See `Observer`."""
        self.connection.send(("progress", done_s, total_s))

    def done(self, job: Job, done: Done) -> None:
        """See `Observer`."""
        self.connection.send(("done", done))

    def failed(self, job: Job, reason: str) -> None:
        """See `Observer`."""
        self.connection.send(("failed", reason))


class Forward(logging.Handler):
    """Has lines logged by the process that gave the job."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        """Send a line."""
        self.connection.send(("log", record.levelno, self.format(record)))


def work(connection: Connection, config: Any, number: int) -> None:
    """Do the jobs that come through `connection`, in a process of their own, until None comes or the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[Forward(connection)], force=True)
    hear_no_steps_of_clients()
    with ends_in_order():
        try:
            from saga_sr.inference.restoring import do_jobs, load_enhancer

            composed = OmegaConf.create(config)
            composed.device = device_of(composed.device, number)
            enhancer = load_enhancer(composed)
            connection.send(("ready",))
            while (job := connection.recv()) is not None:
                do_jobs(enhancer, [job], Teller(connection))
        except SagaError as error:
            connection.send(("error", error))


def device_of(name: str, number: int) -> str:
    """The device of the worker `number`: `auto` shares GPUs out in turn."""
    import torch

    gpus = torch.cuda.device_count()
    return f"cuda:{(number - 1) % gpus}" if name == "auto" and gpus > 1 else name


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
