from __future__ import annotations

import subprocess
import sys
import warnings

import pytest

from saga_sr.core.foreign_messages import tame_foreign_warnings

LACKING = "The operator 'aten::{}' is not currently supported on the MPS backend and will fall back to run on the CPU."
IMPORTED = "import sys; sys.platform = {!r}; import os, saga_sr; print(os.environ.get('PYTORCH_ENABLE_MPS_FALLBACK'))"


def test_on_a_mac_missing_operations_run_on_the_cpu() -> None:
    for system, expected in (("darwin", "1"), ("linux", "None")):
        done = subprocess.run(
            [sys.executable, "-c", IMPORTED.format(system)], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected


def test_what_apples_gpu_lacks_is_said_in_a_line(caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        tame_foreign_warnings()
        warnings.warn(LACKING.format("linalg_eigh"), stacklevel=1)
        warnings.warn("of one's own", stacklevel=1)
        warnings.warn("Experiment logs directory x exists and is not empty", stacklevel=1)
    assert [str(one.message) for one in shown] == ["of one's own"]
    (line,) = caplog.messages
    assert "aten::linalg_eigh" in line and "\n" not in line
