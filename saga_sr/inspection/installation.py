"""What an installation consists of, what is wrong with it, and how it is mended.

Others' packages are imported where they are reported on alone, so that the rest is told whatever is broken.
"""

from __future__ import annotations

import difflib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from saga_sr.core.version import __version__
from saga_sr.inspection.dependencies import PACKAGE, Finding, extras, in_a_line, needed, reason_and_mend
from saga_sr.packages.bundled import DEFAULT, bundled_model
from saga_sr.packages.own_code import VARIABLE as OWN_CODE

LEAST_FREE_GB = 1.0
# Of the app and of trainings, which rooms above this one read.
VARIABLES = (OWN_CODE, "SAGA_SR_PASSWORD", "SAGA_SR_JOB_PID")


def findings() -> Iterator[Finding]:
    """All that can be told without enhancing anything, whatever is broken."""
    looks: dict[str, Callable[[], Iterator[Finding]]] = {
        "place": place, "packages": needed, "devices": devices, "extras": extras, "codecs": codecs,
        "bundled model": model, "files": files, "variables": variables,
    }  # fmt: skip
    wrong = False
    for name, look in looks.items():
        try:
            for finding in look():
                wrong = wrong or finding.trouble is not None
                yield finding
        except Exception as error:  # of a broken package: anything
            # Most likely what has been told of before.
            trouble = None if wrong else f"{name} cannot be looked at {reason_and_mend(error)}"
            wrong = True
            yield Finding(name, f"not looked at ({in_a_line(error)})", trouble)


def place() -> Iterator[Finding]:
    """What this is, and what it runs on."""
    yield Finding(PACKAGE, f"{__version__} in {Path(__file__).resolve().parents[1]}")
    yield Finding("Python", f"{platform.python_version()} in {sys.prefix}")
    yield Finding("system", f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} cores")


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


def codecs() -> Iterator[Finding]:
    """Each option of `codec`, and what it wants."""
    from omegaconf import OmegaConf

    from saga_sr.core.config import CONF_DIR

    for path in sorted((Path(CONF_DIR) / "codec").glob("*.yaml")):
        config = OmegaConf.load(path)
        wanted = sorted(str(key) for key in OmegaConf.missing_keys(config))
        if wanted:
            wants = f"needs {', '.join(f'codec.{key}=...' for key in wanted)}"
        else:
            hub = OmegaConf.select(config, "path")
            wants = f"fetches {hub} from the hub, or needs codec.path=..." if hub else "needs no weights"
        yield Finding(f"codec {path.stem}", wants)


def model() -> Iterator[Finding]:
    """Whether a model came along."""
    there = bundled_model(DEFAULT)
    missing = f"No model comes with this installation; give model=..., or pip install --force-reinstall {PACKAGE}."
    yield Finding("bundled model", DEFAULT if there else "none", None if there else missing)


def files() -> Iterator[Finding]:
    """Whether results, what is needed on the way, and what a hub has can be written."""
    asked = os.environ.get("TMPDIR")
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError:
        yield Finding("temporary files", "nowhere", "No folder takes temporary files; set TMPDIR to one that does.")
    else:
        free_gb = shutil.disk_usage(folder).free / 1e9
        trouble = None
        if asked and Path(asked).absolute() != Path(folder).absolute():
            trouble = f"TMPDIR={asked} takes no files, and {folder} stands in; set it to a folder that does."
        elif free_gb < LEAST_FREE_GB:
            trouble = f"{folder} has {free_gb:.1f} GB left; make room there, or set TMPDIR to another disk."
        yield Finding("temporary files", f"{folder}, {free_gb:.0f} GB free", trouble)
    from huggingface_hub.constants import HF_HUB_CACHE

    kept = Path(HF_HUB_CACHE)
    try:
        with tempfile.TemporaryFile(dir=next(folder for folder in (kept, *kept.parents) if folder.exists())):
            yield Finding("fetched models", f"kept in {kept}")
    except OSError as error:
        why = f"Models of a hub cannot be kept in {kept} ({error.strerror})"
        yield Finding(
            "fetched models", f"cannot be kept in {kept}", f"{why}; set HF_HOME to a folder that takes files."
        )


def variables() -> Iterator[Finding]:
    """Those of the environment that are saga-sr's own, or nearly so; values may be secrets."""
    for name in sorted(name for name in os.environ if name.startswith("SAGA_SR_")):
        near = difflib.get_close_matches(name, VARIABLES, 1, 0.8)
        mistaken = f"saga-sr reads no variable {name}; the nearest is {near[0]}." if near and near[0] != name else None
        yield Finding(name, "set", mistaken)
    for module in filter(None, os.environ.get(OWN_CODE, "").split(",")):
        if find_spec(module.strip().partition(".")[0]) is None:
            mend = f"{OWN_CODE} names {module}, which is not found; add the folder that it is in to PYTHONPATH."
            yield Finding(module, "not found", mend)
