"""Programs called as SLURM's are, for a cluster of one machine that runs one job."""

from __future__ import annotations

import sys
from pathlib import Path

JOB = 7
VARIABLES = "SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1 SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_JOB_NODELIST=here"
PROGRAMS = {
    # Runs the script in the background, and again as long as that is asked for.
    "sbatch": f"""
echo "Submitted batch job {JOB}"
export SLURM_JOB_ID={JOB} {VARIABLES}
(while rm -f requeue; echo begun >> runs; bash "$1"; [ -f requeue ]; do :; done; touch over) > log 2>&1 &
""",
    "scontrol": f'[ "$*" = "requeue {JOB}" ] && touch requeue',
    "sacct": f"""
echo "JobID|State|NodeList"
echo "{JOB}|$([ -f over ] && echo COMPLETED || echo RUNNING)|here"
""",
    # srun --unbuffered --output FILE --error FILE PYTHON ...
    "srun": f"""
while [ "$1" != {sys.executable} ]; do shift; done
"$@"
""",
}


def install(folder: Path) -> Path:
    """Put them into a new `folder`, where they also note what they do; for the front of a PATH."""
    folder.mkdir()
    for name, script in PROGRAMS.items():
        here = "" if name == "srun" else f"cd {folder}\n"
        (folder / name).write_text(f"#!/bin/bash\n{here}{script}")
        (folder / name).chmod(0o755)
    return folder
