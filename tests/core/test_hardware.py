from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from saga_sr.core.hardware import mkl_is_slow

FAULTS = """
import resource, torch
from saga_sr.core.hardware import keep_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(10_000_000)  # more than glibc ever keeps by itself
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
returned = faults()
keep_memory()
faults()
print(returned, faults())
"""


@pytest.mark.skipif(platform.libc_ver() < ("glibc", "2.35"), reason="another allocator, or one that keeps less")
def test_memory_that_is_kept_is_not_mapped_again() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], check=True, capture_output=True, text=True)
    returned, kept = map(int, done.stdout.split())
    assert returned > 10_000 and kept < returned / 10


@pytest.mark.parametrize(
    ("vendor", "capability", "slow"),
    [("AuthenticAMD", "AVX512", True), ("AuthenticAMD", "AVX2", False), ("GenuineIntel", "AVX512", False)],
)
def test_mkl_is_slow_on_amd_with_avx512_alone(
    vendor: str, capability: str, slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda path: f"vendor_id : {vendor}")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    assert mkl_is_slow.__wrapped__() == slow
