"""The process of a training run: started apart from the app, found again by whoever looks into the run's folder."""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from saga_sr.core.atomic_file import write_atomically
from saga_sr.core.errors import UsageError
from saga_sr.core.run_folder import RUNNING, read_record

# In the run's folder: the process that an app has started last, and what it has printed.
NOTE, CONSOLE = "process.json", "console.log"
# Clocks of processes and of files differ by less.
TOLERANCE_S = 2.0


@dataclass(frozen=True)
class Note:
    """What is known of the process of a run.

    Attributes:
        began: when the process did, in seconds since 1970; tells it from a later one with its number.
        words: of its command line, after `saga-sr train`; None where no app has started it.
        stop_asked: when it was asked to stop; None if it was not.
    """

    pid: int
    began: float
    words: list[str] | None = None
    stop_asked: float | None = None


def start(folder: Path, words: Sequence[str]) -> None:
    """Train in a process that has a session of its own, so that it goes on when the app ends.

    Args:
        folder: the run's.
        words: that follow `saga-sr train`; no shell reads them.

    Raises:
        UsageError: the run is being trained already.
    """
    if process_of(folder) is not None:
        raise UsageError(f"{folder.name} is being trained already; stop it first, or give another name.")
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "saga_sr", "train", *words]
    with (folder / CONSOLE).open("wb") as console:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, start_new_session=True
        )
    began = psutil.Process(process.pid).create_time()
    _write(folder, Note(process.pid, began, list(words)))
    # Somebody has to wait for it, or it stays in the table of processes.
    threading.Thread(target=process.wait, daemon=True).start()


def stop(folder: Path) -> None:
    """Ask the run in `folder` to save itself and end, which it does after the step that it is at.

    Raises:
        UsageError: it is not being trained on this machine, or is another user's.
    """
    process = process_of(folder)
    if process is None:
        raise UsageError(f"{folder.name} is not being trained on this machine, so there is nothing to stop.")
    earlier = read_note(folder)
    is_ours = earlier is not None and earlier.pid == process.pid
    note = earlier if is_ours and earlier is not None else Note(process.pid, process.create_time())
    _write(folder, replace(note, stop_asked=time.time()))
    try:
        process.send_signal(signal.SIGTERM)
    except psutil.AccessDenied as error:
        raise UsageError(f"{folder.name} is trained by another user of this machine; only they can stop it.") from error
    except psutil.NoSuchProcess:
        pass  # it has just ended


def process_of(folder: Path) -> psutil.Process | None:
    """The process that trains the run in `folder`, if it is alive on this machine, whoever has started it."""
    note = read_note(folder)
    if note is not None:
        process = alive(note.pid)
        if process is not None and abs(process.create_time() - note.began) < TOLERANCE_S:
            return process
    record = read_record(folder) or {}
    machine = record.get("machine") or {}
    if record.get("status") != RUNNING or machine.get("host") != platform.node() or "pid" not in machine:
        return None
    process = alive(int(machine["pid"]))
    # It began before it wrote its record; another one with its number began after it had ended.
    if process is None or process.create_time() > _attempt_began(record) + TOLERANCE_S:
        return None
    return process


def alive(pid: int) -> psutil.Process | None:
    """The process with that number, unless it has ended."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.Error:
        return None


def read_note(folder: Path) -> Note | None:
    """What an app has noted of the run's process; None where there is nothing that can be read."""
    try:
        return Note(**json.loads((folder / NOTE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def last_words(folder: Path, most: int = 4000) -> str:
    """The end of what the process that an app has started has printed, at most so many bytes, a line for each."""
    try:
        with (folder / CONSOLE).open("rb") as console:
            console.seek(max(0, console.seek(0, 2) - most))
            said = console.read().decode(errors="replace")
    except OSError:
        return ""
    # A bar of progress writes over itself.
    return "\n".join(line.rpartition("\r")[2] for line in said.replace("\r\n", "\n").splitlines())


def _attempt_began(record: dict[str, Any]) -> float:
    history = record.get("history") or [record]
    return datetime.fromisoformat(history[-1]["began"]).timestamp()


def _write(folder: Path, note: Note) -> None:
    write_atomically(folder / NOTE, json.dumps(asdict(note)))
