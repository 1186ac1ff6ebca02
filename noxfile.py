"""The wheel with each Python, PyTorch and NumPy that it is for: `nox` (pip install nox), or one that `nox -l` lists.

A Python that is not installed is left out. Each session downloads the PyTorch that it names.
"""

from __future__ import annotations

from pathlib import Path

import nox

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
TORCHES = ["2.6", "2.8", "2.11"]
# NumPy 1.26 was not built for Python 3.13.
NUMPYS = {"1.26": PYTHONS[:-1], "2": PYTHONS}
USE = """
import numpy as np, soundfile, saga_sr
audio = 0.1 * np.random.default_rng(0).standard_normal((2, 8000)).astype(np.float32)
restored, rate = saga_sr.load()(audio, 8000, steps=2)
assert restored.shape == (2, 44100) and rate == 44100 and np.isfinite(restored).all()
soundfile.write("in.wav", audio.T, 8000)
"""

nox.options.error_on_missing_interpreters = False


@nox.session
@nox.parametrize(
    ("python", "torch", "numpy"),
    [(python, torch, numpy) for torch in TORCHES for numpy, pythons in NUMPYS.items() for python in pythons],
)
def wheel(session: nox.Session, torch: str, numpy: str) -> None:
    """Install the wheel, look at the installation, enhance an array and a file."""
    folder = Path(session.create_tmp())
    session.install("hatchling")
    session.run("python", "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    (built,) = folder.glob("*.whl")
    session.install(str(built), f"torch=={torch}.*", f"numpy=={numpy}.*")
    session.chdir(folder)
    session.run("python", "-c", USE)
    session.run("saga-sr", "enhance", "in.wav", "out.flac")
    session.run("saga-sr", "doctor")
