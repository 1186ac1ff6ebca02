"""Shares the parts of a preparation out over processes, with litdata's engine, or over a cluster."""

from __future__ import annotations

import os
import re
import signal as signals
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, NoReturn

from litdata.processing.data_processor import DataProcessor
from litdata.processing.functions import LambdaMapRecipe

from saga_sr.core.cluster import Cluster, share
from saga_sr.core.errors import DataError


class Engine(DataProcessor):
    """litdata's, but it ends when a worker does, and answers Ctrl-C.

    A worker that is killed may hold the lock of the queue of parts: litdata lets the others wait for it for minutes,
    and then calls what they have done the whole. On Ctrl-C it leaves the process at once, with status 0.
    """

    def _create_process_workers(self, *arguments: Any, **named: Any) -> None:
        super()._create_process_workers(*arguments, **named)
        threading.Thread(target=self._end_together, daemon=True).start()

    def _end_together(self) -> None:
        running = list(self.workers)
        while running:
            wait([worker.sentinel for worker in running])
            running = [worker for worker in running if worker.exitcode is None]
            if any(worker.exitcode for worker in self.workers):
                for worker in running:
                    worker.terminate()
                return

    def _signal_handler(self, signal: Any, frame: Any) -> NoReturn:
        for worker in self.workers:
            worker.terminate()
        raise KeyboardInterrupt


class Work:
    """What is done with a part; in a worker's process it ends with the parent, and leaves Ctrl-C to it."""

    def __init__(self, work: Callable[[str], None]) -> None:
        self.work = work
        self.parent = os.getpid()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        signals.signal(signals.SIGINT, signals.SIG_IGN)
        threading.Thread(target=self._end_with_parent, daemon=True).start()

    def _end_with_parent(self) -> None:
        while os.getppid() == self.parent:
            time.sleep(1)
        os._exit(1)

    def __call__(self, part: str, folder: str) -> None:
        self.work(part)


ENDED = (
    "A worker ended before its time (out of memory?); run the same command again, with fewer num_workers if it happens "
    "again."
)


def run_parts(work: Callable[[str], None], parts: Sequence[str], workers: int) -> None:
    """Call `work(part)` for each of `parts`, in `workers` processes.

    Raises:
        DataError: the error of a worker, as it put it, or one that was killed.
    """
    with _environment() as folder:
        try:
            engine = Engine(
                input_dir=None, output_dir=str(folder / "out"), num_workers=workers, fast_dev_run=False, verbose=False
            )
            engine.run(LambdaMapRecipe(Work(work), list(parts)))
            for worker in engine.workers:
                worker.join()
        except RuntimeError as error:
            # It hands a worker's traceback on as text.
            said = re.search(r"^saga_sr\.core\.errors\.\w+: (.*)", str(error), re.MULTILINE)
            if said is None:
                raise
            raise DataError(said[1]) from error
    if any(worker.exitcode for worker in engine.workers):
        raise DataError(ENDED)


def run_parts_on_cluster(work: Callable[[str], None], parts: Sequence[str], cluster: Cluster) -> None:
    """Call `work(part)` for each of `parts`, on the machines of `cluster`.

    Raises:
        DataError: the error of a worker, or one part whose workers were killed again and again.
        ConfigError: a cluster that cannot be used.
    """

    def lost(part: str) -> None:
        raise DataError(ENDED)

    share(work, parts, cluster, begun=lambda part: None, ended=lambda part, result: None, lost=lost)


@contextmanager
def _environment() -> Iterator[Path]:
    """Tell litdata that it is alone, and give it a temporary folder of its own, which it clears at will."""
    with tempfile.TemporaryDirectory(prefix="saga-sr-prepare-") as name:
        settings = {
            "DATA_OPTIMIZER_NUM_NODES": "1",
            "DATA_OPTIMIZER_NODE_RANK": "0",
            "DATA_OPTIMIZER_CACHE_FOLDER": f"{name}/chunks",
            "DATA_OPTIMIZER_DATA_CACHE_FOLDER": f"{name}/data",
            "TMPDIR": name,
        }
        before = {key: os.environ.get(key) for key in settings}
        os.environ.update(settings)
        try:
            yield Path(name)
        finally:
            for key, value in before.items():
                if value is None:
                    del os.environ[key]
                else:
                    os.environ[key] = value
