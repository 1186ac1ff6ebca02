"""One training process per device: a run that needs several is started again under torchrun.

Each job then has processes, ports and an environment of its own, whether it is the only one, one of a sweep, or on a
cluster; torchrun watches them, and a rank that dies ends the others.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from saga_sr.core.errors import ConfigError, SagaError
from saga_sr.training.preemption import REQUEUE, requeue_listener

# A rank has this long to save itself before it is killed.
GRACE_S = 30
STOPPED_BY_SIGTERM = 128 + signal.SIGTERM
# Tells ranks which process the user has started.
JOB_PID = "SAGA_SR_JOB_PID"
# Where torchrun takes a rank's error from, and hands on the first one to.
ERROR_FILE = "TORCHELASTIC_ERROR_FILE"


def processes_to_start(trainer: DictConfig) -> int:
    """How many processes this one has to start; 0 where it is a rank itself, or the only one.

    Raises:
        ConfigError: more devices than there are.
    """
    wanted = device_count(trainer)
    return wanted if wanted > 1 and not started_by_launcher() else 0


def started_by_launcher() -> bool:
    """Whether torchrun, or SLURM with a task for each device, started this process as one of several."""
    return "TORCHELASTIC_RUN_ID" in os.environ or int(os.environ.get("SLURM_NTASKS", "1")) > 1


def job_pid() -> int:
    """The number of the process that answers to the user for this run: this one, or the one that started the ranks."""
    return int(os.environ.get(JOB_PID, os.getpid())) if started_by_launcher() else os.getpid()


def is_first() -> bool:
    """Whether this process is the one of rank 0, or alone."""
    rank = os.environ.get("RANK") or (os.environ.get("SLURM_PROCID") if started_by_launcher() else None)
    return int(rank or 0) == 0


def device_count(trainer: DictConfig) -> int:
    """Devices that `trainer` asks for on this machine.

    Raises:
        ConfigError: a number that is not possible, or more GPUs than there are.
    """
    devices, gpus = trainer.devices, torch.cuda.device_count()
    on_gpu = trainer.accelerator in ("gpu", "cuda") or (trainer.accelerator == "auto" and gpus > 0)
    if devices in ("auto", -1, "-1"):
        return max(gpus, 1) if on_gpu else 1
    if not isinstance(devices, int) or devices < 1:
        raise ConfigError(f"trainer.devices={devices} is not possible; give a number from 1, or auto.")
    if trainer.accelerator in ("gpu", "cuda") and not gpus:
        raise ConfigError(f"trainer.accelerator={trainer.accelerator} needs a GPU, but none is found; say auto or cpu.")
    if on_gpu and devices > gpus:
        raise ConfigError(f"trainer.devices={devices}, but this machine has {gpus} GPU(s); give {gpus} at most.")
    return devices


def run_in_processes(count: int, output: Path) -> None:
    """Run this job's command in `count` processes that share the folder `output`, and wait for them.

    Raises:
        SagaError: a process failed.
        SystemExit: they were stopped by SIGTERM.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    command += ["-m", "saga_sr", "train", *HydraConfig.get().overrides.task]
    command += [f"hydra.run.dir='{output}'", "hydra.output_subdir=null"]
    # Unless told, torchrun gives each process one thread, and says so at length.
    threads = max(1, (os.cpu_count() or 1) // count)
    told = output / ".error.json"
    variables = {"OMP_NUM_THREADS": str(threads), **os.environ, JOB_PID: str(os.getpid()), ERROR_FILE: str(told)}
    asked: list[int] = []

    def pass_on(number: int, _: Any) -> None:
        asked.append(number)
        job.send_signal(signal.SIGTERM)

    listener = requeue_listener()
    heard: list[int] = [signal.SIGTERM]
    if REQUEUE and listener:
        heard.append(REQUEUE)
        # A cluster sends it to all processes; what is ignored here, they ignore, too.
        signal.signal(REQUEUE, signal.SIG_IGN)
    job = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=variables)
    earlier = {number: signal.signal(number, pass_on) for number in heard}
    try:
        status = job.wait()
    except KeyboardInterrupt:
        job.send_signal(signal.SIGTERM)
        job.wait(GRACE_S)
        raise
    finally:
        signal.signal(signal.SIGTERM, earlier[signal.SIGTERM])
        if job.poll() is None:
            job.kill()
    if asked:
        if listener and REQUEUE in asked:
            listener(REQUEUE, None)
        # torchrun itself ends with a traceback and status 1 then.
        raise SystemExit(STOPPED_BY_SIGTERM)
    if status:
        raise SagaError(first_error(told))


def tell_launcher(reason: str) -> None:
    """Hand on why this process fails, if it is one of several: any may be the first, and ends the others."""
    if started_by_launcher() and ERROR_FILE in os.environ:
        shown = {"py_callstack": reason, "timestamp": str(int(time.time()))}
        Path(os.environ[ERROR_FILE]).write_text(json.dumps({"message": {"message": reason, "extraInfo": shown}}))


def first_error(told: Path) -> str:
    """What the rank that failed first has handed on to the file `told`, which is removed."""
    try:
        return str(json.loads(told.read_text())["message"]["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return "A training process ended before the others; its own message is above."
    finally:
        told.unlink(missing_ok=True)
