"""Processes that wait until their parent starts an interpreter, and are that program then.

As a program of a test is a fork that need not import torch and Lightning again, so are those that it starts itself: the
ranks of a training, the runs of an app, the workers that share its files. They are forked before it does anything,
since a process that has threads, or state that such a program finds, could not be.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import multiprocessing.util
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
# What one is handed: files, and where they stand aside until each has the number that it has in the parent.
MOST_FILES, ASIDE = 250, 512
WAITING: list[tuple[int, socket.socket]] = []
_start_interpreter = subprocess.Popen._execute_child  # type: ignore[attr-defined]
_spawn = multiprocessing.util.spawnv_passfds  # type: ignore[attr-defined]


def keep(count: int) -> None:
    """Fork `count` processes for what this one starts by `subprocess` or spawns; they end with it."""
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
    multiprocessing.util.spawnv_passfds = _hand_over_spawned  # type: ignore[attr-defined]


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
        elif arguments[0] == "-c":
            sys.argv = ["-c", *arguments[2:]]
            exec(arguments[1], {"__name__": "__main__"})
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
    variables = os.environ if env is None else env
    popen.pid = _give(words, str(cwd or Path.cwd()), variables, starts_session, given, range(3))
    popen._child_created = True
    popen._close_pipe_fds(*pipes)


def _hand_over_spawned(path: Any, args: Sequence[str], passfds: Sequence[int]) -> int:
    """In the place of `multiprocessing.util.spawnv_passfds`: a worker becomes the program of a process that waits."""
    words = [*map(os.fsdecode, args)]
    if not WAITING or words[-1] != "--multiprocessing-fork":
        return _spawn(path, args, passfds)
    files = sorted({*map(int, passfds)})
    return _give(words[-3:], str(Path.cwd()), os.environ, False, files, files)


def _give(
    words: Sequence[str], cwd: str, variables: Any, starts_session: bool, files: Sequence[int], numbers: Sequence[int]
) -> int:
    """Have a process that waits be `python WORDS`, its files of those `numbers`; its own number."""
    pid, there = WAITING.pop(0)
    message = [words, cwd, dict(variables), starts_session, [*numbers]]
    socket.send_fds(there, [json.dumps(message).encode() + b"\n"], files)
    there.close()
    return pid


def _wait_and_run(there: socket.socket) -> None:
    said, files, *_ = socket.recv_fds(there, 1 << 16, MOST_FILES)
    while said and not said.endswith(b"\n"):
        said += there.recv(1 << 16)
    there.close()
    status: Any = 0
    if said:
        words, cwd, variables, starts_session, numbers = json.loads(said)
        aside = [fcntl.fcntl(file, fcntl.F_DUPFD, ASIDE) for file in files]
        for file in files:
            os.close(file)
        for number, file in zip(numbers, aside, strict=True):
            os.dup2(file, number)
            os.close(file)
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
