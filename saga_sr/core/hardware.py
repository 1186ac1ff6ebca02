"""What the machine can do."""

from __future__ import annotations

import ctypes
import functools
import threading
from pathlib import Path

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from saga_sr.core.errors import ConfigError

# Of glibc's <malloc.h>.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def has_fast_bfloat16(device_type: str) -> bool:
    """Whether bfloat16 matrix products run in hardware there; elsewhere they are emulated and slow."""
    if device_type == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if device_type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False


@functools.cache
def mkl_is_slow() -> bool:
    """Whether float32 products by MKL take twice the time of those by oneDNN.

    So it was on an AMD EPYC with AVX-512 (benchmarks/saga.md); other processors are left to MKL.
    """
    try:
        processor = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    both = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    return both and "AuthenticAMD" in processor and torch.backends.cpu.get_cpu_capability() == "AVX512"


def pick_device(name: str = "auto") -> torch.device:
    """The device called `name`; `auto` is the first accelerator, or else the CPU.

    Raises:
        ConfigError: PyTorch knows no such device, or this machine has none.
    """
    if name != "auto":
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(
                f"device={name!r} cannot be used here; choose auto, cpu, or an accelerator like cuda:0."
            ) from error
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def keep_memory() -> None:
    """Let this process keep the memory of tensors for the next ones; for programs that compute on the CPU.

    glibc returns large blocks to the system at once, which clears and maps them anew for the next operation. Blocks
    above 1 GB are still returned. Nothing changes where there is no glibc.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    # Before 2.35 it takes no more than 32 MB.
    if not mallopt(M_MMAP_THRESHOLD, 2**30):
        mallopt(M_MMAP_THRESHOLD, 2**25)
    mallopt(M_TRIM_THRESHOLD, 2**30)


@functools.cache
def allow_fake_tensors() -> None:
    """Let any thread of this process use tensors without values; to be called before the first of them.

    Where there is no GPU, PyTorch built for CUDA makes a stand-in for one that belongs to the thread that first enters
    a FakeTensorMode, and is freed with it, though all threads go on using it: the next to enter crashes the process.
    Here that first thread never ends.
    """
    entered = threading.Event()

    def enter() -> None:
        with FakeTensorMode():
            entered.set()
        threading.Event().wait()

    threading.Thread(target=enter, name="stand-in-gpu", daemon=True).start()
    entered.wait()
