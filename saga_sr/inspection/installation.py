"""What an installation consists of, what is wrong with it, and how it is mended. Imports no more than it reports on."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from omegaconf import OmegaConf

from saga_sr.core.config import CONF_DIR
from saga_sr.core.imports import EXTRAS
from saga_sr.core.version import __version__
from saga_sr.packages.bundled import DEFAULT, bundled_model

PACKAGE = "saga-sr"
LEAST_FREE_GB = 1.0


@dataclass(frozen=True)
class Finding:
    """One line of a report.

    Attributes:
        trouble: what is wrong and how it is mended, in a sentence; None where nothing is.
    """

    name: str
    value: str
    trouble: str | None = None


def findings() -> Iterator[Finding]:
    """All that can be told without enhancing anything."""
    yield Finding("saga-sr", f"{__version__} in {Path(__file__).resolve().parents[1]}")
    yield Finding("Python", f"{platform.python_version()} in {sys.prefix}")
    yield Finding("system", f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} cores")
    yield from needed()
    yield from devices()
    yield from extras()
    yield from codecs()
    model = bundled_model(DEFAULT)
    missing = f"No model comes with this installation; give model=..., or pip install --force-reinstall {PACKAGE}."
    yield Finding("bundled model", DEFAULT if model else "none", None if model else missing)
    yield room_for_files()


def needed() -> Iterator[Finding]:
    """The packages without which nothing goes, each held against what saga-sr asks for."""
    from packaging.requirements import Requirement

    try:
        listed = requires(PACKAGE) or []
    except PackageNotFoundError:
        mend = "saga-sr runs from a folder that is not installed; pip install -e . there."
        yield Finding("packages", "not installed", mend)
        return
    found = []
    for text in listed:
        requirement = Requirement(text)
        if requirement.marker is not None and "extra" in str(requirement.marker):
            continue
        there = installed(requirement.name)
        if there is None or not requirement.specifier.contains(there, prereleases=True):
            wanted = f"{requirement.name}{requirement.specifier}"
            yield Finding(
                requirement.name, there or "none", f"saga-sr needs {wanted}, and finds {there or 'none'}; "
                f"pip install '{wanted}'.",
            )  # fmt: skip
        else:
            found.append(f"{requirement.name} {there}")
    yield Finding("packages", ", ".join(found))


def installed(name: str) -> str | None:
    """The version of a package, if it is there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def devices() -> Iterator[Finding]:
    """What PyTorch can compute on."""
    import torch

    yield Finding("CPU", f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads")
    for i in range(torch.cuda.device_count()):
        memory_gb = torch.cuda.get_device_properties(i).total_memory / 1e9
        yield Finding(f"cuda:{i}", f"{torch.cuda.get_device_name(i)}, {memory_gb:.0f} GB")
    if torch.backends.mps.is_available():
        yield Finding("mps", "Apple's GPU")
    if shutil.which("nvidia-smi") and not torch.cuda.is_available():
        built = torch.version.cuda
        why = f"is built for CUDA {built}, which the driver does not take" if built else "is built for the CPU alone"
        yield Finding(
            "GPU", "not usable", f"A driver of NVIDIA is here, but PyTorch {why}; install the torch that fits it, as "
            "PyTorch's install page says, or go on with device=cpu.",
        )  # fmt: skip


def extras() -> Iterator[Finding]:
    """What only some need; none of it being there is no trouble."""
    for extra in dict.fromkeys(EXTRAS.values()):
        lacking = [module for module, of in EXTRAS.items() if of == extra and find_spec(module) is None]
        command = f"pip install '{PACKAGE}[{extra}]'"
        yield Finding(f"extra {extra}", f"not installed ({command})" if lacking else "installed")


def codecs() -> Iterator[Finding]:
    """Each option of `codec`, and what it wants."""
    for path in sorted((Path(CONF_DIR) / "codec").glob("*.yaml")):
        config = OmegaConf.load(path)
        wanted = sorted(str(key) for key in OmegaConf.missing_keys(config))
        if wanted:
            wants = f"needs {', '.join(f'codec.{key}=...' for key in wanted)}"
        else:
            hub = OmegaConf.select(config, "path")
            wants = f"fetches {hub} from the hub, or needs codec.path=..." if hub else "needs no weights"
        yield Finding(f"codec {path.stem}", wants)


def room_for_files() -> Finding:
    """Whether results and what is needed on the way can be written."""
    folder = tempfile.gettempdir()
    free_gb = shutil.disk_usage(folder).free / 1e9
    low = f"{folder} has {free_gb:.1f} GB left; make room there, or set TMPDIR to another disk."
    return Finding("temporary files", f"{folder}, {free_gb:.0f} GB free", low if free_gb < LEAST_FREE_GB else None)
