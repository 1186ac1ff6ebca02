"""How long the app takes from its command to its first page: python benchmarks/app_start.py

Seconds on the clock, and of computing, which other programs on the machine do not change; the median of a few starts.
Needs the extra `app`.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from http.client import HTTPConnection

import psutil

STARTS = 3
COMMAND = [sys.executable, "-m", "saga_sr", "app", "open=false", "port=0"]


def started() -> tuple[float, float]:
    """Seconds to the first page of one start: on the clock, and of computing."""
    begin = time.perf_counter()
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True) as app:
        try:
            assert app.stdout is not None
            port = int(re.findall(r"http://127.0.0.1:(\d+)/", app.stdout.readline())[0])
            connection = HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/")
            assert connection.getresponse().status == 200
            took_s, times = time.perf_counter() - begin, psutil.Process(app.pid).cpu_times()
        finally:
            app.terminate()
    return took_s, times.user + times.system


if __name__ == "__main__":
    starts = [started() for _ in range(STARTS)]
    clock_s, computing_s = (statistics.median(seconds) for seconds in zip(*starts, strict=True))
    print(f"{clock_s:.1f} s on the clock, {computing_s:.1f} s of computing")
