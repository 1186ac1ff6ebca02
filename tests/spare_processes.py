"""Processes that wait until their parent starts an interpreter, and are that program then.

As a program of a test is a fork that need not import torch and Lightning again, so are those that it starts itself: the
ranks of a training, the runs of an app. They are forked before it does anything, since a process that has threads, or
state that such a program finds, could not be.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import socket
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# torchrun starts so many.
RANKS = 2
WAITING: list[tuple[int, socket.socket]] = []
_start_interpreter = subprocess.Popen._execute_child  # type: ignore[attr-defined]


def keep(count: int) -> None:
    """Fork `count` processes for the Python modules that this one starts by `subprocess`; they end with it."""
    for _ in range(count):
        here, there = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            for _, other in (*WAITING, (0, here)):
                other.close()
            WAITING.clear()
            _wait_and_run(there)
        there.close()
        WAITING.append((pid, here))
    subprocess.Popen._execute_child = _hand_over  # type: ignore[attr-defined]


def run(arguments: Sequence[str], cwd: str, variables: dict[str, str]) -> None:
    """Be the program `python ARGUMENTS`, with those environment variables."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    # What an interpreter of its own would have read from its variables, and what this one was started with.
    sys.path[:0] = variables["PYTHONPATH"].split(os.pathsep)
    try:
        if arguments[0] == "-m":
            sys.argv = list(arguments[1:])
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = list(arguments)
            runpy.run_path(arguments[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # processes of multiprocessing leave these out


def _hand_over(popen: Any, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any, cwd: Any,
               env: Any, startupinfo: Any, creationflags: Any, shell: Any, *rest: Any) -> None:  # fmt: skip
    """In the place of `Popen._execute_child`: a module becomes the program of a process that waits."""
    words = [word for word in args[1:] if word != "-u"] if isinstance(args, list | tuple) else []
    if not WAITING or args[0] != sys.executable or words[:1] != ["-m"]:
        _start_interpreter(
            popen, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell, *rest
        )
        return
    pipes, starts_session = rest[:6], rest[11]
    given = [own if end == -1 else end for own, end in enumerate((pipes[0], pipes[3], pipes[5]))]
    popen.pid, there = WAITING.pop(0)
    message = [words, str(cwd or Path.cwd()), dict(os.environ if env is None else env), starts_session]
    socket.send_fds(there, [json.dumps(message).encode() + b"\n"], given)
    there.close()
    popen._child_created = True
    popen._close_pipe_fds(*pipes)


def _wait_and_run(there: socket.socket) -> None:
    said, streams, *_ = socket.recv_fds(there, 1 << 16, 3)
    while said and not said.endswith(b"\n"):
        said += there.recv(1 << 16)
    there.close()
    status: Any = 0
    if said:
        words, cwd, variables, starts_session = json.loads(said)
        for own, stream in enumerate(streams):
            os.dup2(stream, own)
            os.close(stream)
        if starts_session:
            os.setsid()
        try:
            if words[1] == "torch.distributed.run":
                keep(RANKS)
            run(words, cwd, variables)
        except SystemExit as end:
            status = end.code
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))
