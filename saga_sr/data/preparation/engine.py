"""Shares the parts of a preparation out over processes and machines, with litdata's engine."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from litdata.processing.data_processor import DataProcessor
from litdata.processing.functions import LambdaMapRecipe

from saga_sr.errors import DataError


class Engine(DataProcessor):
    """litdata's, with Ctrl-C answered by an exception where litdata leaves the process at once, with status 0."""

    def _signal_handler(self, signal: Any, frame: Any) -> NoReturn:
        for worker in self.workers:
            worker.terminate()
        raise KeyboardInterrupt


def run_parts(
    work: Callable[[str, str], None], parts: Sequence[str], workers: int, machine: int, machines: int
) -> None:
    """Call `work(part, folder)` for this machine's share of `parts`, in `workers` processes.

    Raises:
        DataError: the error of a worker, as it put it.
    """
    with _environment(machine, machines) as folder:
        try:
            engine = Engine(
                input_dir=None, output_dir=str(folder / "out"), num_workers=workers, fast_dev_run=False, verbose=False
            )
            engine.run(LambdaMapRecipe(work, list(parts)))
        except RuntimeError as error:
            # It hands a worker's traceback on as text.
            said = re.search(r"^saga_sr\.errors\.\w+: (.*)", str(error), re.MULTILINE)
            if said is None:
                raise
            raise DataError(said[1]) from error


@contextmanager
def _environment(machine: int, machines: int) -> Iterator[Path]:
    """Tell litdata which machine this is, and give it a temporary folder of its own, which it clears at will."""
    with tempfile.TemporaryDirectory(prefix="saga-sr-prepare-") as name:
        settings = {
            "DATA_OPTIMIZER_NUM_NODES": str(machines),
            "DATA_OPTIMIZER_NODE_RANK": str(machine),
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
