from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from saga_sr.core.errors import ConfigError
from saga_sr.training import processes
from saga_sr.training.processes import device_count, is_first, processes_to_start


def trainer(devices: object, accelerator: str = "auto") -> object:
    return OmegaConf.create({"devices": devices, "accelerator": accelerator})


def test_devices_are_counted_and_what_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.torch.cuda, "device_count", lambda: 0)
    assert device_count(trainer(2, "cpu")) == device_count(trainer(2)) == 2 and device_count(trainer("auto")) == 1
    with pytest.raises(ConfigError, match="needs a GPU, but none is found"):
        device_count(trainer(1, "gpu"))
    for wrong in (0, -2, "two", [0, 1]):
        with pytest.raises(ConfigError, match="give a number from 1"):
            device_count(trainer(wrong, "cpu"))
    monkeypatch.setattr(processes.torch.cuda, "device_count", lambda: 4)
    assert device_count(trainer("auto")) == device_count(trainer(-1, "gpu")) == 4
    assert device_count(trainer(8, "cpu")) == 8
    with pytest.raises(ConfigError, match=r"this machine has 4 GPU\(s\)"):
        device_count(trainer(5))


def test_only_the_process_that_the_user_started_starts_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHELASTIC_RUN_ID", "SLURM_NTASKS", "SLURM_PROCID", "RANK"):
        monkeypatch.delenv(name, raising=False)
    assert processes_to_start(trainer(2, "cpu")) == 2 and processes_to_start(trainer(1, "cpu")) == 0 and is_first()
    monkeypatch.setenv("SLURM_NTASKS", "1")  # one task that is given several devices
    monkeypatch.setenv("SLURM_PROCID", "0")
    assert processes_to_start(trainer(2, "cpu")) == 2
    monkeypatch.setenv("SLURM_NTASKS", "2")
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert processes_to_start(trainer(2, "cpu")) == 0 and not is_first()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("RANK", "0")
    assert processes_to_start(trainer(2, "cpu")) == 0 and is_first()


def test_a_clusters_word_that_time_is_over_stops_the_ranks_before_it_is_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ranks, which a cluster sends it to as well, do not die of it."""
    ready = tmp_path / "ready"
    rank = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(3)); "
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    jobs, heard, popen = [], [], subprocess.Popen

    def start(*_: object, **settings: object) -> object:
        jobs.append(popen([sys.executable, "-c", rank]))
        return jobs[0]

    def say_it() -> None:
        while not ready.exists():
            time.sleep(0.01)
        os.kill(jobs[0].pid, signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGUSR2)

    monkeypatch.setattr(processes.subprocess, "Popen", start)
    monkeypatch.setattr(
        processes.HydraConfig, "get", lambda: SimpleNamespace(overrides=SimpleNamespace(task=["experiment=demo"]))
    )
    earlier = signal.signal(signal.SIGUSR2, lambda number, _: heard.append((number, jobs[0].poll())))
    try:
        threading.Thread(target=say_it).start()
        with pytest.raises(SystemExit):
            processes.run_in_processes(2, tmp_path)
    finally:
        signal.signal(signal.SIGUSR2, earlier)
    assert heard == [(signal.SIGUSR2, 3)]
