"""What a process, with all that it has started, takes of the machine."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Usage:
    """What processes take.

    Attributes:
        cpu: cores that they keep busy; None where that is not known yet.
        memory: bytes.
        gpu_memory: bytes on all GPUs; None where none is used, or seen.
        gpu_busy: share of the time that the busiest GPU works, for anybody, 0 to 1; None where there is none.
    """

    cpu: float | None
    memory: int
    gpu_memory: int | None = None
    gpu_busy: float | None = None


class Meter:
    """Measures processes each time it is asked; cores are those since it was last asked of the same process."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, float]] = {}

    def of(self, process: psutil.Process) -> Usage | None:
        """What `process` and all that it has started take; None if it has ended."""
        try:
            family = [process, *process.children(recursive=True)]
        except psutil.Error:
            return None
        spent, memory, pids = 0.0, 0, set()
        for one in family:
            try:
                with one.oneshot():
                    times = one.cpu_times()
                    memory += one.memory_info().rss
            except psutil.Error:
                continue  # it has just ended
            spent += times.user + times.system
            pids.add(one.pid)
        now, last = time.monotonic(), self._last.get(process.pid)
        self._last[process.pid] = now, spent
        cpu = max(0.0, spent - last[1]) / (now - last[0]) if last and now > last[0] else None
        return Usage(cpu, memory, *_gpu(pids))


def _gpu(pids: set[int]) -> tuple[int | None, float | None]:
    """Memory in bytes that processes take on NVIDIA's GPUs, and how busy the busiest one is."""
    if shutil.which("nvidia-smi") is None:
        return None, None
    apps = _ask("--query-compute-apps=pid,used_memory")
    own = [float(used) for pid, used in apps if pid.isdecimal() and int(pid) in pids and used.isdecimal()]
    busy = [float(share) / 100 for (share,) in _ask("--query-gpu=utilization.gpu") if share.isdecimal()]
    return (int(sum(own) * 2**20) if own else None), max(busy, default=None)


def _ask(query: str) -> list[list[str]]:
    try:
        done = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines() if line.strip()]
