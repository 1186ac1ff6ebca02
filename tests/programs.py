"""The project's programs, as processes of their own.

Importing torch, Lightning and the rest takes a program seconds, and training a tiny model less than one. So programs
are forks of a server that has imported these, and run their entry point as `__main__`, with streams, signals and an
exit status of their own. `fresh` starts an interpreter instead, as a user does. What a program itself starts by its
interpreter is an interpreter, unless it has `spares` (`spare_processes.py`).
"""

from __future__ import annotations

import atexit
import faulthandler
import multiprocessing
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import spare_processes

ROOT = Path(__file__).resolve().parent.parent
ENDS_WITHIN_S = 300
ENDS_AFTER_ABORT_S = 10
NOWHERE = Path(os.devnull)
# The Python of an environment that saga-sr is installed in, to run programs of that instead of the checkout's.
OF_INSTALLED = os.environ.get("SAGA_SR_TESTED_PYTHON")

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "saga_sr.training.run",
        "saga_sr.inference.run",
        "saga_sr.inference.restoring",
        "saga_sr.inspection.weights",
        "saga_sr.pages.report",
        "saga_sr.pages.sweep_page",
        "saga_sr.captioning.captioner",
        "saga_sr.preparation.engine",
        # What they import once they run.
        "torch._dynamo",
        "torch.utils.tensorboard",
        "diffusers",
        "transformers",
        "s3fs",
        "saga_sr.cli.train",
        "saga_sr.app.site",
    ]
)


def environment() -> dict[str, str]:
    given = [os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else []
    return {
        **os.environ,
        # Callbacks of tests stand beside this module.
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), *given]),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        "WANDB_MODE": "offline",
        "PYTHONFAULTHANDLER": "1",
    }


class Running:
    """A program that runs; its output is added to the files `stdout` and `stderr`.

    Args:
        spares: as many of the Python programs that it starts are forks, too.
    """

    def __init__(
        self, *arguments: str, stdout: Path = NOWHERE, stderr: Path = NOWHERE, cwd: Path = ROOT, spares: int = 0
    ) -> None:
        self.arguments, self._stderr = arguments, stderr
        self._process = SERVER.Process(target=_become, args=(arguments, cwd, environment(), stdout, stderr, spares))
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid
        atexit.register(self.kill)  # of a test that failed; or its end would be waited for

    def poll(self) -> int | None:
        """Its exit status, if it has ended; the negative signal if one ended it."""
        return self._process.exitcode

    def wait(self, timeout: float = ENDS_WITHIN_S) -> int:
        """Its exit status; if it takes longer than `timeout` seconds, it and what it started tell where, and end."""
        self._process.join(timeout)
        status = self.poll()
        if status is None:
            for process in (*psutil.Process(self.pid).children(recursive=True), psutil.Process(self.pid)):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGABRT)
            self._process.join(ENDS_AFTER_ABORT_S)
            self.kill()
            said = self._stderr.read_text() if self._stderr.is_file() else ""
            raise subprocess.TimeoutExpired(self.arguments, timeout, stderr=said) from AssertionError(said)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def changed(arguments: Sequence[str], *changes: str) -> list[str]:
    """`arguments` with `changes` in the place of those that set the same."""
    keys = {change.partition("=")[0] for change in changes}
    return [*(word for word in arguments if word.partition("=")[0] not in keys), *changes]


def program(
    *arguments: str, cwd: Path = ROOT, fresh: bool = False, spares: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    if fresh or OF_INSTALLED:
        variables = environment()
        if OF_INSTALLED:
            variables["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
        return subprocess.run(
            [OF_INSTALLED or sys.executable, *arguments], capture_output=True, text=True, cwd=cwd, env=variables,
            timeout=ENDS_WITHIN_S,
        )  # fmt: skip
    with TemporaryDirectory() as folder:
        stdout, stderr = Path(folder) / "stdout", Path(folder) / "stderr"
        status = Running(*arguments, stdout=stdout, stderr=stderr, cwd=cwd, spares=spares).wait()
        return subprocess.CompletedProcess(arguments, status, stdout.read_text(), stderr.read_text())


def _become(
    arguments: tuple[str, ...], cwd: Path, variables: dict[str, str], stdout: Path, stderr: Path, spares: int
) -> None:
    for path, descriptor in ((stdout, 1), (stderr, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, descriptor)
        os.close(file)
    warnings.simplefilter("ignore")
    faulthandler.enable(2)
    threads = partial(sys.modules["torch"].set_num_threads, int(variables["OMP_NUM_THREADS"]))
    threads()
    # Its own forks, too, before they have threads: PyTorch replaces its pool in a fork when it is first asked for one,
    # and a second thread that asks meanwhile finds none ("Invalid thread pool!").
    os.register_at_fork(after_in_child=threads)
    multiprocessing.set_start_method(None, force=True)
    spare_processes.keep(spares)
    spare_processes.run(arguments, str(cwd), variables)
